// The shortest fault handlers a kernel could have, one vector table for each.
//
// `rt_quick` holds what they know of the region they serve, biased so that a page number (the
// fault's address / 4096) needs no subtraction: where entries begin, the entry of page 0, and the
// ASID where TLBI wants it.

.equ AP_READ_ONLY,  1 << 7
.equ ACCESSED,      1 << 10

.bss
.balign 16
.global rt_quick
rt_quick: .skip 32

// The page number in x0, the bias of entries in x2, the bias of values in x3.
.macro QUICK_ENTER
    stp     x0, x1, [sp, #-32]!
    stp     x2, x3, [sp, #16]
    mrs     x0, far_el1
    adrp    x1, rt_quick
    add     x1, x1, :lo12:rt_quick
    ldp     x2, x3, [x1]
    lsr     x0, x0, #12
.endm

.macro QUICK_LEAVE
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp], #32
    eret
.endm

.macro DEMAND
    QUICK_ENTER
    add     x3, x3, x0, lsl #12
    str     x3, [x2, x0, lsl #3]
    dsb     ishst
    QUICK_LEAVE
.endm

.macro PROTECT
    QUICK_ENTER
    ldr     x3, [x2, x0, lsl #3]
    and     x3, x3, #~AP_READ_ONLY
    str     x3, [x2, x0, lsl #3]
    ldr     x1, [x1, #16]
    orr     x0, x0, x1
    dsb     nshst
    tlbi    vae1, x0
    dsb     nsh
    QUICK_LEAVE
.endm

// Twice for each page: first the entry without its accessed flag, then the flag.
.macro ACCESS
    QUICK_ENTER
    ldr     x1, [x2, x0, lsl #3]
    cbnz    x1, 1f
    add     x3, x3, x0, lsl #12
    and     x3, x3, #~ACCESSED
    str     x3, [x2, x0, lsl #3]
    dsb     ishst
    QUICK_LEAVE
1:  orr     x1, x1, #ACCESSED
    str     x1, [x2, x0, lsl #3]
    dsb     ishst
    QUICK_LEAVE
.endm

.macro SKIP
    str     x0, [sp, #-16]!
    mrs     x0, elr_el1
    add     x0, x0, #4
    msr     elr_el1, x0
    ldr     x0, [sp], #16
    eret
.endm

.macro QUICK_VECTORS name, handler
    .balign 2048
    .global \name
    \name:
    .irp slot, 0, 1, 2, 3
    .balign 128
    b       rt_vectors + \slot * 128
    .endr
    .balign 128
    \handler
    .irp slot, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .balign 128
    b       rt_vectors + \slot * 128
    .endr
.endm

.section .text.vectors, "ax"
QUICK_VECTORS rt_quick_demand, DEMAND
QUICK_VECTORS rt_quick_protect, PROTECT
QUICK_VECTORS rt_quick_access, ACCESS
QUICK_VECTORS rt_quick_skip, SKIP
