// Every kind of store that can change a page table, one function each.
//
// In: x0 = the first entry to change, x1 = what the entries hold, x2 = what they shall hold.
// Changed at most: x3 to x11, v0 to v3. Where an entry takes more than one store, the store with
// its valid bit comes last when it is made, and first when it is cleared.

.arch_extension fp
.arch_extension simd
.arch_extension lse
.arch_extension mops

.macro STORE name
    .global stores_\name
stores_\name:
.endm

.macro ATOMIC name, instruction
STORE \name
    ldr     x3, [x1]
    ldr     x4, [x2]
    \instruction
    ret
.endm

.section .text.stores, "ax"

STORE str
    ldr     x3, [x2]
    str     x3, [x0]
    ret

STORE str_w
    ldp     w3, w4, [x2]
    tbnz    w3, #0, 1f
    str     w3, [x0]
    str     w4, [x0, #4]
    ret
1:  str     w4, [x0, #4]
    str     w3, [x0]
    ret

STORE strh
    ldrh    w3, [x2]
    tbnz    w3, #0, 1f
    strh    w3, [x0]
1:  ldrh    w4, [x2, #6]
    strh    w4, [x0, #6]
    ldrh    w4, [x2, #4]
    strh    w4, [x0, #4]
    ldrh    w4, [x2, #2]
    strh    w4, [x0, #2]
    strh    w3, [x0]
    ret

STORE strb
    ldrb    w3, [x2]
    tbnz    w3, #0, 1f
    strb    w3, [x0]
1:  mov     x5, #7
2:  ldrb    w4, [x2, x5]
    strb    w4, [x0, x5]
    subs    x5, x5, #1
    b.ne    2b
    strb    w3, [x0]
    ret

STORE str_register
    ldr     x3, [x2]
    sub     x4, x0, #64
    mov     w5, #8
    str     x3, [x4, w5, uxtw #3]
    ret

STORE str_unscaled
    ldr     x3, [x2]
    add     x4, x0, #3
    stur    x3, [x4, #-3]
    ret

STORE str_post
    mov     x4, x0
    ldp     x3, x5, [x2]
    str     x3, [x4], #8
    str     x5, [x4], #-8
    cmp     x4, x0
    b.ne    stores_wrong
    ret

STORE str_pre
    sub     x4, x0, #8
    ldp     x3, x5, [x2]
    str     x3, [x4, #8]!
    str     x5, [x4, #8]!
    sub     x4, x4, #8
    cmp     x4, x0
    b.ne    stores_wrong
    ret

// One store for the upper half of an entry and the lower half of the next.
STORE str_unaligned
    ldp     w3, w6, [x2]
    ldp     w4, w5, [x2, #8]
    ldur    x7, [x2, #4]
    tbnz    w3, #0, 1f
    str     w3, [x0]
    stur    x7, [x0, #4]
    str     w5, [x0, #12]
    ret
1:  str     w5, [x0, #12]
    stur    x7, [x0, #4]
    str     w3, [x0]
    ret

STORE stp
    ldp     x3, x4, [x2]
    stp     x3, x4, [x0]
    ret

STORE stp_post
    ldp     x3, x4, [x2]
    mov     x5, x0
    stp     x3, x4, [x5], #16
    sub     x5, x5, #16
    cmp     x5, x0
    b.ne    stores_wrong
    ret

STORE stp_pre
    ldp     x3, x4, [x2]
    sub     x5, x0, #16
    stp     x3, x4, [x5, #16]!
    cmp     x5, x0
    b.ne    stores_wrong
    ret

STORE stp_w
    ldp     w3, w4, [x2]
    stp     w3, w4, [x0]
    ret

STORE stnp
    ldp     x3, x4, [x2]
    stnp    x3, x4, [x0]
    ret

STORE stlr
    ldr     x3, [x2]
    stlr    x3, [x0]
    ret

STORE str_d
    ldr     d0, [x2]
    str     d0, [x0]
    ret

STORE str_q
    ldr     q0, [x2]
    str     q0, [x0]
    ret

STORE str_q_post
    ldr     q0, [x2]
    mov     x4, x0
    str     q0, [x4], #16
    sub     x4, x4, #16
    cmp     x4, x0
    b.ne    stores_wrong
    ret

STORE stp_q
    ldp     q0, q1, [x2]
    stp     q0, q1, [x0]
    ret

STORE st1
    ld1     {v0.2d, v1.2d, v2.2d, v3.2d}, [x2]
    st1     {v0.2d, v1.2d, v2.2d, v3.2d}, [x0]
    ret

STORE st1_post
    ld1     {v0.2d, v1.2d}, [x2]
    mov     x4, x0
    st1     {v0.2d, v1.2d}, [x4], #32
    sub     x4, x4, #32
    cmp     x4, x0
    b.ne    stores_wrong
    ret

STORE st1_lane
    ldr     q0, [x2]
    add     x4, x0, #8
    st1     {v0.d}[1], [x4]
    st1     {v0.d}[0], [x0]
    ret

STORE st2
    ld2     {v0.2d, v1.2d}, [x2]
    st2     {v0.2d, v1.2d}, [x0]
    ret

ATOMIC swp, "swpal x4, x5, [x0]"

STORE cas
    ldr     x3, [x1]
    ldr     x4, [x2]
    mov     x5, x3
    casal   x3, x4, [x0]
    cmp     x3, x5
    b.ne    stores_wrong
    ret

// A comparison that fails stores nothing, or what was there.
STORE cas_fails
    ldr     x3, [x1]
    ldr     x4, [x2]
    mvn     x5, x3
    casal   x5, x4, [x0]
    cmp     x5, x3
    b.ne    stores_wrong
    ldr     x5, [x0]
    cmp     x5, x3
    b.ne    stores_wrong
    casal   x3, x4, [x0]
    ret

STORE casp
    ldp     x4, x5, [x1]
    ldp     x6, x7, [x2]
    mov     x8, x4
    mov     x9, x5
    caspal  x4, x5, x6, x7, [x0]
    cmp     x4, x8
    ccmp    x5, x9, #0, eq
    b.ne    stores_wrong
    ret

STORE ldadd
    ldr     x3, [x1]
    ldr     x4, [x2]
    sub     x4, x4, x3
    ldaddal x4, x5, [x0]
    cmp     x5, x3
    b.ne    stores_wrong
    ret

STORE stadd
    ldr     x3, [x1]
    ldr     x4, [x2]
    sub     x4, x4, x3
    stadd   x4, [x0]
    ret

STORE ldeor
    ldr     x3, [x1]
    ldr     x4, [x2]
    eor     x4, x4, x3
    ldeoral x4, x5, [x0]
    cmp     x5, x3
    b.ne    stores_wrong
    ret

// The bits that go, then the bits that come; the valid bit first when it goes, last when it comes.
STORE ldset_ldclr
    ldr     x3, [x1]
    ldr     x4, [x2]
    bic     x5, x3, x4
    bic     x6, x4, x3
    ldclral x5, x7, [x0]
    cmp     x7, x3
    b.ne    stores_wrong
    ldsetal x6, x7, [x0]
    ret

STORE ldumax
    ldr     x4, [x2]
    ldumaxal x4, x5, [x0]
    ldr     x4, [x2]
    lduminal x4, x5, [x0]
    ret

STORE stxr
    ldr     x4, [x2]
1:  ldxr    x3, [x0]
    stxr    w5, x4, [x0]
    cbnz    w5, 1b
    ldr     x5, [x1]
    cmp     x3, x5
    b.ne    stores_wrong
    ret

STORE stlxr
    ldr     x4, [x2]
1:  ldaxr   x3, [x0]
    stlxr   w5, x4, [x0]
    cbnz    w5, 1b
    ret

STORE stxp
    ldp     x4, x5, [x2]
1:  ldxp    x6, x7, [x0]
    stxp    w3, x4, x5, [x0]
    cbnz    w3, 1b
    ret

STORE stxrb
    ldr     x4, [x2]
    ldrb    w6, [x2]
    tbnz    w6, #0, 2f
1:  ldxrb   w3, [x0]
    stxrb   w5, w6, [x0]
    cbnz    w5, 1b
    str     x4, [x0]
    ret
2:  bic     x7, x4, #0xff
    str     x7, [x0]
    b       1b

STORE zva
    dc      zva, x0
    ret

STORE set
    mov     x3, x0
    mov     x4, #64
    setp    [x3]!, x4!, xzr
    setm    [x3]!, x4!, xzr
    sete    [x3]!, x4!, xzr
    ret

STORE cpy
    mov     x3, x0
    mov     x4, x2
    mov     x5, #64
    cpyfp   [x3]!, [x4]!, x5!
    cpyfm   [x3]!, [x4]!, x5!
    cpyfe   [x3]!, [x4]!, x5!
    ret

stores_wrong:
    brk     #0
