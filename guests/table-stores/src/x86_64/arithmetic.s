// The stores that read what they change: exchanges, arithmetic, bits. Registers and conventions are those
// of stores.s. What an instruction leaves in registers and flags is compared with what it leaves when
// its operand is a register.

.equ STATUS,     0x8d5                           // OF, SF, ZF, AF, PF, CF
.equ LOGICAL,   STATUS & ~0x10                   // AF is undefined after AND, OR and XOR
.equ BITS,      1                               // only CF is defined after BTS and the like
.equ FAR,       4096                            // bytes between a bit's base and the bit

// The flags that \instruction leaves for r8, in r11. Changes r8.
.macro EXPECT mask, instruction:vararg
    \instruction
    pushfq
    pop     r11
    and     r11d, \mask
.endm

// Compares the flags with those.
.macro SAME_FLAGS mask
    pushfq
    pop     r10
    and     r10d, \mask
    cmp     r10d, r11d
    jne     stores_wrong
.endm

// What entries hold in r8, what they shall hold in r9.
.macro VALUES
    mov     r8, [rsi]
    mov     r9, [rdx]
.endm

.section .text.stores, "ax"

STORE xchg
    VALUES
    xchg    [rdi], r9
    SAME    r9, r8
    ret

STORE xchg_l
    VALUES
    xor     ecx, ecx
    xchg    [rdi], ecx
    SAME    ecx, r8d
    mov     rcx, r9
    shr     rcx, 32
    shr     r8, 32
    xchg    [rdi + 4], ecx
    SAME    ecx, r8d
    mov     eax, r9d
    xchg    [rdi], eax
    SAME    eax, 0
    ret

STORE xchg_unaligned
    mov     eax, [rdx]
    mov     rcx, [rdx + 4]
    mov     r8d, [rdx + 12]
    mov     r9, [rsi + 4]
    test    al, 1
    jnz     1f
    mov     [rdi], eax
1:  xchg    [rdi + 4], rcx
    SAME    rcx, r9
    mov     [rdi + 12], r8d
    mov     [rdi], eax
    ret

STORE cmpxchg
    VALUES
    mov     rax, r8
    lock cmpxchg [rdi], r9
    jne     stores_wrong
    SAME    rax, r8
    ret

// A comparison that fails stores what was there, and says it.
STORE cmpxchg_fails
    VALUES
    mov     rax, r8
    not     rax
    lock cmpxchg [rdi], r9
    je      stores_wrong
    SAME    rax, r8
    SAME    [rdi], r8
    cmpxchg [rdi], r9
    jne     stores_wrong
    ret

STORE cmpxchg8b
    push    rbx
    mov     ebx, [rdx]
    mov     ecx, [rdx + 4]
    mov     eax, [rsi]
    mov     edx, [rsi + 4]
    lock cmpxchg8b [rdi]
    pop     rbx
    jne     stores_wrong
    ret

STORE cmpxchg16b
    push    rbx
    mov     rbx, [rdx]
    mov     rcx, [rdx + 8]
    mov     rax, [rsi + 8]
    not     rax
    mov     rdx, rax
    lock cmpxchg16b [rdi]
    je      1f
    SAME    rax, [rsi]
    SAME    rdx, [rsi + 8]
    lock cmpxchg16b [rdi]
    jne     1f
    pop     rbx
    ret
1:  pop     rbx
    jmp     stores_wrong

STORE xadd
    VALUES
    sub     r9, r8
    mov     rcx, r8
    mov     rax, r8
    EXPECT  STATUS, add rcx, r9
    lock xadd [rdi], r9
    SAME_FLAGS STATUS
    SAME    r9, rax
    ret

STORE add
    VALUES
    sub     r9, r8
    EXPECT  STATUS, add r8, r9
    lock add [rdi], r9
    SAME_FLAGS STATUS
    ret

STORE add_plain
    VALUES
    sub     r9, r8
    EXPECT  STATUS, add r8, r9
    add     [rdi], r9
    SAME_FLAGS STATUS
    ret

STORE sub
    VALUES
    mov     rcx, r8
    sub     rcx, r9
    EXPECT  STATUS, sub r8, rcx
    lock sub [rdi], rcx
    SAME_FLAGS STATUS
    ret

STORE adc
    VALUES
    sub     r9, r8
    dec     r9
    stc
    EXPECT  STATUS, adc r8, r9
    stc
    lock adc [rdi], r9
    SAME_FLAGS STATUS
    ret

STORE sbb
    VALUES
    mov     rcx, r8
    sub     rcx, r9
    dec     rcx
    stc
    EXPECT  STATUS, sbb r8, rcx
    stc
    lock sbb [rdi], rcx
    SAME_FLAGS STATUS
    ret

STORE xor
    VALUES
    xor     r9, r8
    EXPECT  LOGICAL, xor r8, r9
    lock xor [rdi], r9
    SAME_FLAGS LOGICAL
    ret

// The bits that go, then the bits that come.
STORE and_or
    VALUES
    mov     rcx, r8
    and     rcx, r9
    EXPECT  LOGICAL, and r8, rcx
    lock and [rdi], rcx
    SAME_FLAGS LOGICAL
    EXPECT  LOGICAL, or r8, r9
    lock or [rdi], r9
    SAME_FLAGS LOGICAL
    ret

STORE and_imm
    lock and dword ptr [rdi], 0
    jnz     stores_wrong
    and     qword ptr [rdi], 0
    jnz     stores_wrong
    ret

// Down to an even number, on to the next even one, and up. CF stays.
STORE inc_dec
    VALUES
    test    r8b, 1
    jz      1f
    stc
    EXPECT  STATUS, dec r8
    stc
    lock dec qword ptr [rdi]
    SAME_FLAGS STATUS
1:  mov     rcx, r9
    and     rcx, -2
    sub     rcx, r8
    lock add [rdi], rcx
    add     r8, rcx
    test    r9b, 1
    jz      2f
    clc
    EXPECT  STATUS, inc r8
    clc
    lock inc qword ptr [rdi]
    SAME_FLAGS STATUS
2:  ret

// An entry that is present is inverted, and then is not; one that shall be comes the same way.
STORE not
    VALUES
    test    r8b, 1
    jz      1f
    lock not qword ptr [rdi]
    not     r8
1:  mov     rcx, r9
    test    r9b, 1
    jz      2f
    not     rcx
2:  xor     rcx, r8
    lock xor [rdi], rcx
    test    r9b, 1
    jz      3f
    lock not qword ptr [rdi]
3:  ret

STORE neg
    VALUES
    mov     rcx, r9
    neg     rcx
    xor     rcx, r8
    lock xor [rdi], rcx
    xor     r8, rcx
    EXPECT  STATUS, neg r8
    lock neg qword ptr [rdi]
    SAME_FLAGS STATUS
    ret

STORE rol
    VALUES
    ror     r9, 12
    mov     [rdi], r9
    EXPECT  BITS, rol r9, 12
    mov     ecx, 12
    rol     qword ptr [rdi], cl
    SAME_FLAGS BITS
    ret

// The upper bits move up, and others follow them from a register.
STORE shld
    VALUES
    mov     rcx, r9
    shl     rcx, 48
    shr     r9, 16
    mov     [rdi], r9
    EXPECT  BITS, shld r9, rcx, 16
    shld    qword ptr [rdi], rcx, 16
    SAME_FLAGS BITS
    ret

STORE bts_btr_imm
    VALUES
    lock btr qword ptr [rdi], 0
    setc    al
    and     r8d, 1
    SAME    al, r8b
    mov     rcx, r9
    and     rcx, -2
    mov     [rdi], rcx
    bt      r9, 0
    jnc     1f
    lock bts qword ptr [rdi], 0
    jc      stores_wrong
    bts     qword ptr [rdi], 0
    jnc     stores_wrong
1:  lock btc qword ptr [rdi], 8
    btc     qword ptr [rdi], 8
    ret

// Each bit that differs, the first one first when it goes and last when it comes, at a distance
// from the address that the instruction has. In: rdi = that address, \distance = in bits.
.macro EACH_BIT distance
    VALUES
    xor     r9, r8
    test    r8b, 1
    jz      2f
1:  bsf     rcx, r9
    jz      3f
    btr     r9, rcx
    bt      r8, rcx
    setc    r10b
    add     rcx, \distance
    lock btc [rdi], rcx
    setc    r11b
    SAME    r10b, r11b
    jmp     1b
2:  bsr     rcx, r9
    jz      3f
    btr     r9, rcx
    bt      r8, rcx
    setc    r10b
    add     rcx, \distance
    lock btc [rdi], rcx
    setc    r11b
    SAME    r10b, r11b
    jmp     2b
3:  ret
.endm

STORE btc_far
    sub     rdi, FAR
    EACH_BIT FAR * 8

STORE btc_before
    add     rdi, FAR
    EACH_BIT (-FAR * 8)
