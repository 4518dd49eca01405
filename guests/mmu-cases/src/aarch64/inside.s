// Runs with code, stack and page table under one leaf table, which it changes.
//
// In: x0 = the entry to change, x1 = its page, x2 and x3 = what it holds in turn, x4 = turns,
// x5 = the operand that invalidates the page. Out: x0 = the sum of what the page gave. The first
// of x2 and x3 is stored first.

.section .text.inside, "ax"
.balign 8
.global inside_start, inside_end
inside_start:
    mov     x6, xzr
1:  str     xzr, [x0]
    dsb     nshst
    tlbi    vae1, x5
    dsb     nsh
    isb
    str     x2, [x0]
    dsb     ishst
    isb
    stp     x2, x6, [sp, #-16]!
    ldr     x7, [x1]
    ldp     x8, x6, [sp], #16
    add     x6, x6, x7
    mov     x2, x3
    mov     x3, x8
    subs    x4, x4, #1
    b.ne    1b
    mov     x0, x6
    ret
inside_end:

// Calls what is at x6 with the stack x7.
.global inside_call
inside_call:
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     sp, x7
    stp     x29, x30, [sp, #-16]!
    blr     x6
    ldp     x29, x30, [sp], #16
    mov     sp, x29
    ldp     x29, x30, [sp], #16
    ret

// With the MMU off: stores x1 at the address x0, sets TTBR0 to x2 and TCR to x3; then MMU on.
.global regime_change
regime_change:
    mrs     x4, sctlr_el1
    bic     x5, x4, #1
    dsb     sy
    msr     sctlr_el1, x5
    isb
    str     x1, [x0]
    msr     ttbr0_el1, x2
    msr     tcr_el1, x3
    dsb     sy
    isb
    tlbi    vmalle1
    dsb     sy
    isb
    msr     sctlr_el1, x4
    isb
    ret
