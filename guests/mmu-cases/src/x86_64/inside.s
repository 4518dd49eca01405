// Runs with code, stack and page table under one leaf table, which it changes.
//
// In: rdi = the entry to change, rsi = its page, rdx and rcx = what it holds in turn, r8 = turns.
// Out: rax = the sum of what the page gave. The first of rdx and rcx is stored first.

.section .text.inside, "ax"
.balign 16
.global inside_start, inside_end
inside_start:
    xor     eax, eax
1:  mov     qword ptr [rdi], 0
    invlpg  [rsi]
    mov     [rdi], rdx
    push    rdx
    mov     r10, [rsi]
    pop     rdx
    add     rax, r10
    xchg    rdx, rcx
    dec     r8
    jnz     1b
    ret
inside_end:

// Calls what is at r9 with the stack that the seventh argument says.
.global inside_call
inside_call:
    push    rbp
    mov     rbp, rsp
    mov     rsp, [rbp + 16]
    push    rbp
    call    r9
    pop     rbp
    mov     rsp, rbp
    pop     rbp
    ret
