// The shortest fault handlers a kernel could have, one page-fault vector for each.
//
// `rt_quick` holds what they know of the region they serve, biased so that a page number (the
// fault's address / 4096) needs no subtraction: where entries begin, and the entry of page 0.

.equ WRITABLE,  1 << 1
.equ USED,      (1 << 5) | (1 << 6)             // accessed and dirty
.equ PAGE,      12
.equ ENTRY,     3
.equ LENGTH,    3                               // of the loads and stores of exact.rs

.section .bss.quick, "aw", @nobits
.balign 16
.global rt_quick
rt_quick: .skip 16

// The page's address in rcx, where its entry is in rax.
.macro QUICK_ENTER
    push    rax
    push    rcx
    mov     rax, cr2
    shr     rax, PAGE
    mov     rcx, rax
    shl     rcx, PAGE
    shl     rax, ENTRY
    add     rax, [rip + rt_quick]
.endm

.macro QUICK_LEAVE
    pop     rcx
    pop     rax
    add     rsp, 8
    iretq
.endm

.section .text.vectors, "ax"
.balign 16
.global rt_quick_demand
rt_quick_demand:
    QUICK_ENTER
    add     rcx, [rip + rt_quick + 8]
    mov     [rax], rcx
    QUICK_LEAVE

.balign 16
.global rt_quick_protect
rt_quick_protect:
    QUICK_ENTER
    or      qword ptr [rax], WRITABLE
    invlpg  [rcx]
    QUICK_LEAVE

.balign 16
.global rt_quick_access
rt_quick_access:
    QUICK_ENTER
    add     rcx, [rip + rt_quick + 8]
    and     rcx, ~USED
    mov     [rax], rcx
    QUICK_LEAVE

.balign 16
.global rt_quick_skip
rt_quick_skip:
    add     qword ptr [rsp + 8], LENGTH     // behind the error code: RIP
    add     rsp, 8
    iretq
