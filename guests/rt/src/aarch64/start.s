// The first instructions: from whatever the loader left to EL1 with a stack.
//
// In: x0 = the device tree's address, or 0. MMU off, at EL1 or EL2.

.equ EL2,               2 << 2
.equ HCR_RW,            1 << 31             // EL1 is AArch64
.equ CNTHCTL_EL1PCTEN,  1 << 0              // EL1 may read the physical counter
.equ CNTHCTL_EL1PCEN,   1 << 1              // and use its timer
.equ CPTR_RES1,         0x33ff              // no trap of FP, SVE or SME
.equ CPTR_TRAPS,        (1 << 8) | (1 << 10) | (1 << 12)
.equ MMFR1_HCX,         40                  // ID_AA64MMFR1_EL1: there is an HCRX_EL2
.equ HCRX_MSCEN,        1 << 11             // EL1 may copy and set memory (FEAT_MOPS)
.equ ICC_SRE_ALL,       0xf                 // system registers, and for EL1 too
.equ SPSR_EL1H_MASKED,  0x3c5               // EL1 with SP_EL1; D, A, I and F masked
.equ SCTLR_EL1_RES1,    0x30d00800          // MMU and caches off
.equ CPACR_FPEN,        3 << 20             // FP and SIMD trap at no level

.section .text.start, "ax"
.global rt_start
rt_start:
    msr     daifset, #0xf
    mrs     x1, CurrentEL
    cmp     x1, #EL2
    b.ne    1f

    mov     x1, #HCR_RW
    msr     hcr_el2, x1
    mov     x1, #(CNTHCTL_EL1PCTEN | CNTHCTL_EL1PCEN)
    msr     cnthctl_el2, x1
    msr     cntvoff_el2, xzr
    mov     x1, #(CPTR_RES1 & ~CPTR_TRAPS)
    msr     cptr_el2, x1
    mov     x1, #ICC_SRE_ALL
    msr     S3_4_C12_C9_5, x1               // ICC_SRE_EL2
    mrs     x1, id_aa64mmfr1_el1
    ubfx    x1, x1, #MMFR1_HCX, #4
    cbz     x1, 0f
    mov     x1, #HCRX_MSCEN
    msr     S3_4_C1_C2_2, x1                // HCRX_EL2
0:  isb
    mrs     x1, midr_el1
    msr     vpidr_el2, x1
    mrs     x1, mpidr_el1
    msr     vmpidr_el2, x1
    ldr     x1, =SCTLR_EL1_RES1
    msr     sctlr_el1, x1
    mov     x1, #SPSR_EL1H_MASKED
    msr     spsr_el2, x1
    adr     x1, 1f
    msr     elr_el2, x1
    eret

1:  ldr     x1, =SCTLR_EL1_RES1
    msr     sctlr_el1, x1
    msr     spsel, #1
    mov     x1, #CPACR_FPEN
    msr     cpacr_el1, x1
    adrp    x1, rt_vectors
    add     x1, x1, :lo12:rt_vectors
    msr     vbar_el1, x1
    isb
    adrp    x1, __stack_top
    add     x1, x1, :lo12:__stack_top
    mov     sp, x1

    adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
2:  cmp     x1, x2
    b.hs    3f
    stp     xzr, xzr, [x1], #16
    b       2b
3:  mov     x29, xzr
    mov     x30, xzr
    b       rt_boot
