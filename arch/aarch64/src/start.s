// The first instructions of the boot CPU.
//
// The image begins with the header of an arm64 Linux image ("Booting AArch64 Linux"), so whatever
// boots Linux boots this: EL2, MMU and caches off, x0 = the device tree.

.section .head, "ax"
.global _start
_start:
    b       start
    .word   0
    .quad   __text_offset           // from the start of RAM
    .quad   __image_size
    .quad   0b0010                  // little-endian, 4 KiB pages, near the start of RAM
    .quad   0
    .quad   0
    .quad   0
    .ascii  "ARM\x64"
    .word   0

start:
    msr     daifset, #0b1111
    adrp    x1, __stack_top
    msr     spsel, #1
    mov     sp, x1
    adrp    x1, __bss_start
    adrp    x2, __bss_end
1:  cmp     x1, x2
    b.eq    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  bl      main
3:  wfi
    b       3b
