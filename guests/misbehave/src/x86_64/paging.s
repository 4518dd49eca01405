// Leaves long mode for another kind of paging, and comes back.
//
// In: rdi = the root, rsi = what CR4 holds meanwhile, rdx = a word to read there. Out: eax. All
// below 4 GiB.

.equ CODE,      0x08                            // selectors of rt's descriptor.rs
.equ DATA,      0x10
.equ CODE_32,   0x38
.equ CR0_PG,    1 << 31
.equ EFER,      0xc0000080
.equ EFER_LME,  1 << 8

.macro PAGING_OFF
    mov     eax, cr0
    and     eax, ~CR0_PG
    mov     cr0, eax
.endm

.macro PAGING_ON
    mov     eax, cr0
    or      eax, CR0_PG
    mov     cr0, eax
.endm

.section .text.paging, "ax"
.global paging_visit
paging_visit:
    push    rbx
    push    rbp
    push    r12
    push    r13
    push    r14
    push    r15
    push    CODE_32
    lea     rax, [rip + legacy]
    push    rax
    mov     rbx, cr3
    mov     rbp, cr4
    retfq

.code32
legacy:
    mov     eax, DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    PAGING_OFF
    push    edx
    mov     ecx, EFER
    rdmsr
    and     eax, ~EFER_LME
    wrmsr
    mov     cr4, esi
    mov     cr3, edi
    PAGING_ON
    pop     edx
    mov     edi, [edx]
    PAGING_OFF
    mov     cr4, ebp
    mov     cr3, ebx
    mov     ecx, EFER
    rdmsr
    or      eax, EFER_LME
    wrmsr
    PAGING_ON
    push    CODE
    mov     eax, offset long_again
    push    eax
    retf

.code64
long_again:
    mov     esp, esp
    mov     eax, edi
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     rbp
    pop     rbx
    ret
