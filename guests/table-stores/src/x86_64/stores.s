// The stores that compute nothing: moves, strings, the stack. One function each.
//
// In: rdi = the first entry to change, rsi = what the entries hold, rdx = what they shall hold.
// Changed at most: rax, rcx, rdx, rsi, rdi, r8 to r11 and vector registers. Where an entry takes
// more than one store, the store with its present bit comes last when it is made, and first when it
// is cleared.

.equ ENTRIES,   8                               // of the kinds that change the most
.equ GS_BASE,   0xc0000101

.macro STORE name
    .balign 16
    .global stores_\name
stores_\name:
.endm

// Goes to stores_wrong unless two operands are equal.
.macro SAME left, right
    cmp     \left, \right
    jne     stores_wrong
.endm

.section .text.stores, "ax"

STORE mov
    mov     rax, [rdx]
    mov     [rdi], rax
    ret

STORE mov_l
    mov     eax, [rdx]
    mov     ecx, [rdx + 4]
    test    al, 1
    jnz     1f
    mov     [rdi], eax
    mov     [rdi + 4], ecx
    ret
1:  mov     [rdi + 4], ecx
    mov     [rdi], eax
    ret

STORE mov_w
    movzx   eax, word ptr [rdx]
    test    al, 1
    jnz     1f
    mov     [rdi], ax
1:  mov     rcx, [rdx]
    shr     rcx, 16
    mov     [rdi + 2], cx
    shr     rcx, 16
    mov     [rdi + 4], cx
    shr     rcx, 16
    mov     [rdi + 6], cx
    mov     [rdi], ax
    ret

STORE mov_b
    mov     rax, [rdx]
    test    al, 1
    jnz     1f
    mov     [rdi], al
1:  mov     r8d, 7
2:  mov     r10b, [rdx + r8]
    mov     [rdi + r8], r10b
    dec     r8d
    jnz     2b
    mov     [rdi], al
    ret

// The second byte by the register that no REX prefix may name.
STORE mov_ah
    mov     rax, [rdx]
    mov     rcx, rax
    and     rcx, ~0xffff
    mov     byte ptr [rdi], 0
    mov     [rdi], rcx
    mov     [rdi + 1], ah
    mov     [rdi], al
    ret

STORE mov_imm
    mov     qword ptr [rdi], 0
    ret

STORE mov_imm_l
    mov     dword ptr [rdi], 0
    mov     dword ptr [rdi + 4], 0
    ret

STORE mov_imm_w
    mov     word ptr [rdi], 0
    mov     word ptr [rdi + 2], 0
    mov     word ptr [rdi + 4], 0
    mov     word ptr [rdi + 6], 0
    ret

STORE mov_imm_b
    .irp at, 0, 1, 2, 3, 4, 5, 6, 7
    mov     byte ptr [rdi + \at], 0
    .endr
    ret

STORE mov_sib
    mov     r11, [rdx]
    mov     r9, -5
    lea     r10, [rdi - 24]
    mov     [r10 + r9 * 8 + 64], r11
    ret

STORE mov_disp
    mov     r9, [rdx]
    lea     rax, [rdi - 0x12345678]
    mov     [rax + 0x12345678], r9
    ret

// A table is below 4 GiB, and the upper half of the register does not count.
STORE mov_address32
    mov     r8, [rdx]
    mov     rax, 0x5555555500000000
    or      rdi, rax
    mov     [edi], r8
    ret

STORE mov_gs
    mov     r8, [rdx]
    mov     ecx, GS_BASE
    lea     rax, [rdi - 0x100]
    mov     rdx, rax
    shr     rdx, 32
    wrmsr
    mov     r9d, 0x80
    mov     gs:[r9 * 2], r8
    xor     eax, eax
    xor     edx, edx
    wrmsr
    ret

// One store for the upper half of an entry and the lower half of the next.
STORE mov_unaligned
    mov     eax, [rdx]
    mov     rcx, [rdx + 4]
    mov     r8d, [rdx + 12]
    test    al, 1
    jnz     1f
    mov     [rdi], eax
    mov     [rdi + 4], rcx
    mov     [rdi + 12], r8d
    ret
1:  mov     [rdi + 12], r8d
    mov     [rdi + 4], rcx
    mov     [rdi], eax
    ret

STORE movnti
    mov     rax, [rdx]
    movnti  [rdi], rax
    sfence
    ret

STORE movnti_l
    mov     r8d, [rdx]
    mov     r9d, [rdx + 4]
    mov     dword ptr [rdi], 0
    movnti  [rdi + 4], r9d
    movnti  [rdi], r8d
    sfence
    ret

STORE movbe
    mov     rax, [rdx]
    bswap   rax
    movbe   [rdi], rax
    ret

// The first byte becomes what a condition is, which is not.
STORE setcc
    xor     eax, eax
    setnz   byte ptr [rdi]
    mov     [rdi], rax
    ret

STORE push
    mov     rax, [rdx]
    mov     r8, rsp
    lea     rsp, [rdi + 8]
    push    rax
    mov     r9, rsp
    mov     rsp, r8
    SAME    r9, rdi
    ret

STORE push_imm
    mov     r8, rsp
    lea     rsp, [rdi + 8]
    push    0
    mov     r9, rsp
    mov     rsp, r8
    SAME    r9, rdi
    ret

STORE push_mem
    mov     r8, rsp
    lea     rsp, [rdi + 8]
    push    qword ptr [rdx]
    mov     r9, rsp
    mov     rsp, r8
    SAME    r9, rdi
    ret

STORE pop_mem
    mov     r8, rsp
    mov     rsp, rdx
    pop     qword ptr [rdi]
    mov     r9, rsp
    mov     rsp, r8
    add     rdx, 8
    SAME    r9, rdx
    ret

// The return address, which is even, becomes an entry; then what it shall be.
STORE call
    mov     r8, rsp
    lea     rsp, [rdi + 8]
    .balign 8
    .byte   0x90                                // CALL has five bytes
    .byte   0x90
    .byte   0x90
    call    2f
1:  ud2
2:  mov     r9, rsp
    mov     rsp, r8
    SAME    r9, rdi
    lea     rax, [rip + 1b]
    SAME    [rdi], rax
    mov     rax, [rdx]
    mov     [rdi], rax
    ret

STORE stosq
    mov     r8, rdi
    mov     rax, [rdx]
    stosq
    mov     rax, [rdx + 8]
    stosq
    add     r8, 16
    SAME    rdi, r8
    ret

STORE stosq_down
    lea     r8, [rdi - 8]
    add     rdi, 8
    std
    mov     rax, [rdx + 8]
    stosq
    mov     rax, [rdx]
    stosq
    cld
    SAME    rdi, r8
    ret

.macro REP_STOS name, suffix, count
STORE rep_stos\name
    lea     r8, [rdi + ENTRIES * 8]
    xor     eax, eax
    mov     ecx, \count
    rep stos\suffix
    SAME    rdi, r8
    SAME    rcx, 0
    ret
.endm

REP_STOS q, q, ENTRIES
REP_STOS d, d, ENTRIES * 2
REP_STOS w, w, ENTRIES * 4
REP_STOS b, b, ENTRIES * 8

STORE rep_stosq_down
    lea     r8, [rdi - 8]
    add     rdi, ENTRIES * 8 - 8
    xor     eax, eax
    mov     ecx, ENTRIES
    std
    rep stosq
    cld
    SAME    rdi, r8
    SAME    rcx, 0
    ret

STORE movsq
    lea     r8, [rdi + 16]
    mov     rsi, rdx
    movsq
    movsq
    SAME    rdi, r8
    add     rdx, 16
    SAME    rsi, rdx
    ret

.macro REP_MOVS name, suffix, count
STORE rep_movs\name
    lea     r8, [rdi + ENTRIES * 8]
    mov     rsi, rdx
    mov     ecx, \count
    rep movs\suffix
    SAME    rdi, r8
    add     rdx, ENTRIES * 8
    SAME    rsi, rdx
    SAME    rcx, 0
    ret
.endm

REP_MOVS q, q, ENTRIES
REP_MOVS d, d, ENTRIES * 2
REP_MOVS b, b, ENTRIES * 8

STORE rep_movsq_down
    lea     r8, [rdi - 8]
    add     rdi, ENTRIES * 8 - 8
    lea     rsi, [rdx + ENTRIES * 8 - 8]
    mov     ecx, ENTRIES
    std
    rep movsq
    cld
    SAME    rdi, r8
    sub     rdx, 8
    SAME    rsi, rdx
    SAME    rcx, 0
    ret

.global stores_wrong
stores_wrong:
    ud2
