// The stores of vector registers. Registers and conventions are those of stores.s.

.section .text.stores, "ax"

.macro WIDE name, load, store
STORE \name
    \load   xmm0, [rdx]
    \store  [rdi], xmm0
    sfence
    ret
.endm

WIDE movaps, movups, movaps
WIDE movups, movups, movups
WIDE movdqa, movdqu, movdqa
WIDE movdqu, movdqu, movdqu
WIDE movntps, movups, movntps
WIDE movntdq, movdqu, movntdq

// The upper half of an entry, a whole one, and the lower half of the third.
STORE movups_unaligned
    mov     eax, [rdx]
    mov     ecx, [rdx + 20]
    movups  xmm7, [rdx + 4]
    test    al, 1
    jnz     1f
    mov     [rdi], eax
1:  movups  [rdi + 4], xmm7
    mov     [rdi + 20], ecx
    mov     [rdi], eax
    ret

STORE movq_xmm
    mov     rax, [rdx]
    movq    xmm1, rax
    movq    qword ptr [rdi], xmm1
    ret

// The form with a REX prefix, which is also that of general registers.
STORE movq_rex
    mov     rax, [rdx]
    movq    xmm9, rax
    .byte   0x66, 0x4c, 0x0f, 0x7e, 0x0f        // MOVQ [rdi], xmm9
    ret

STORE movd_xmm
    mov     rax, [rdx]
    movq    xmm2, rax
    shr     rax, 32
    movd    xmm3, eax
    mov     dword ptr [rdi], 0
    movd    [rdi + 4], xmm3
    movd    [rdi], xmm2
    ret

STORE movlps_movhps
    movups  xmm4, [rdx]
    movhps  [rdi + 8], xmm4
    movlps  [rdi], xmm4
    ret

STORE movsd_xmm
    movsd   xmm5, qword ptr [rdx]
    movsd   qword ptr [rdi], xmm5
    ret

// The bytes of the first entry by one mask, those of the second by the other.
STORE maskmovdqu
    movdqu  xmm0, [rdx]
    pcmpeqb xmm1, xmm1
    movdqa  xmm2, xmm1
    psrldq  xmm1, 8
    pslldq  xmm2, 8
    maskmovdqu xmm0, xmm1
    maskmovdqu xmm0, xmm2
    sfence
    ret

// In: rdi = 512 bytes.
STORE fxsave
    fxsave  [rdi]
    ret
