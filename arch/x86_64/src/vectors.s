// Where the processor goes for an exception or an interrupt of the hypervisor's own.
//
// Each stub has the size STUB. Exceptions but the NMI do not return. An interrupt only comes while
// `interrupt::take` or `wait` lets it, and gives that the vector in EAX with no other coming before it
// looks.

.set STUB, 16
.set EXCEPTIONS, 32
.set INTERRUPTS, 32
.set NMI, 2
.set WITH_CODE, 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30
.set RFLAGS_IF, 1 << 9

.section .text.vectors, "ax"
.global __vectors
.balign STUB
__vectors:
.set vector, 0
.rept EXCEPTIONS
    .balign STUB
    .if vector == NMI
    iretq
    .else
    .if (WITH_CODE >> vector) & 1 == 0
    push    0
    .endif
    push    vector
    jmp     exception
    .endif
    .set vector, vector + 1
.endr
.rept INTERRUPTS
    .balign STUB
    mov     eax, vector
    jmp     interrupt
    .set vector, vector + 1
.endr
.balign STUB

exception:
    cld
    mov     rdi, rsp
    and     rsp, -16
    call    host_exception
    ud2

interrupt:
    and     dword ptr [rsp + 16], ~RFLAGS_IF
    iretq
