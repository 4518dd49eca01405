// The entries of the interrupt descriptor table, VECTOR_SIZE bytes apart, and what they share.
//
// The frame of an exception is `Exception` of exception.rs: CR2, the fifteen general registers, the
// vector, the error code, and what the processor pushed. An interrupt saves what a function may
// change.

.equ VECTOR_SIZE,       16
.equ EXCEPTIONS,        32
.equ VECTORS,           64

.section .text.vectors, "ax"
.balign VECTOR_SIZE
.global rt_vectors
rt_vectors:
.set vector, 0
.rept EXCEPTIONS
    .balign VECTOR_SIZE
    // Double faults, faults of segments and pages, alignment checks and the like push a code.
    .if ((1 << vector) & 0x60227d00) == 0
    push    0
    .endif
    push    vector
    jmp     exception
    .set vector, vector + 1
.endr
.rept VECTORS - EXCEPTIONS
    .balign VECTOR_SIZE
    push    vector - EXCEPTIONS
    jmp     interrupt
    .set vector, vector + 1
.endr
    .balign VECTOR_SIZE
.global rt_spurious
rt_spurious:
    iretq

exception:
    push    rax
    push    rcx
    push    rdx
    push    rbx
    push    rbp
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    push    r12
    push    r13
    push    r14
    push    r15
    mov     rax, cr2
    push    rax
    mov     rdi, rsp
    sub     rsp, 8
    cld
    call    rt_exception
    add     rsp, 16
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rbp
    pop     rbx
    pop     rdx
    pop     rcx
    pop     rax
    add     rsp, 16
    iretq

interrupt:
    push    rax
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    mov     rdi, [rsp + 72]
    sub     rsp, 8
    cld
    call    rt_interrupt
    add     rsp, 8
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rdx
    pop     rcx
    pop     rax
    add     rsp, 8
    iretq
