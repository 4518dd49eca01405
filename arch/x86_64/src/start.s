// The first instructions of the boot CPU.
//
// The image begins with a multiboot header (Multiboot Specification 0.6.96) that says where it goes, so
// whatever boots multiboot kernels boots this: 32-bit protected mode, paging off, interrupts off,
// EAX = a magic number, EBX = the multiboot information.

.set HEADER_MAGIC, 0x1BADB002
.set HEADER_FLAGS, 1 << 16 | 1 << 1     // addresses in this header; a memory map, please
.set BOOTED, 0x2BADB002

.set CR0_LONG, 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 0     // PG, WP, NE, ET, PE
.set CR4_PAE, 1 << 5
.set MSR_EFER, 0xC0000080
.set EFER_LONG, 1 << 11 | 1 << 8        // NXE, LME
.set CPUID_EXTENDED, 0x80000001
.set CPUID_LONG, 1 << 29 | 1 << 20      // EDX: LM, NX

.set TABLE, 1 << 1 | 1 << 0             // writable, present
.set LARGE, 1 << 7 | TABLE              // a 2 MiB page
.set PAGE_SIZE, 4096
.set MAPPED, 4                          // GiB, one page directory each

.set SELECTOR_CODE, 8
.set SELECTOR_DATA, 16

.set COM1, 0x3F8
.set COM1_LCR, COM1 + 3
.set COM1_LSR, COM1 + 5
.set LCR_8N1, 3
.set LSR_THRE, 1 << 5
.set LSR_TEMT, 1 << 6

.section .head, "ax"
.code32
.balign 4
header:
    .long   HEADER_MAGIC
    .long   HEADER_FLAGS
    .long   -(HEADER_MAGIC + HEADER_FLAGS)
    .long   header
    .long   __image_start
    .long   0                           // all of the file is loaded: the bundle stands behind the image
    .long   0                           // and all of .bss is in it
    .long   _start

.global _start
_start:
    cld
    mov     esp, offset __stack_top
    mov     ebp, ebx
    mov     esi, offset not_multiboot
    cmp     eax, BOOTED
    jne     fail

    mov     edi, offset __bss_start
    mov     ecx, offset __bss_end
    sub     ecx, edi
    shr     ecx, 2
    xor     eax, eax
    rep stosd

    mov     esi, offset not_long
    mov     eax, 0x80000000
    cpuid
    cmp     eax, CPUID_EXTENDED
    jb      fail
    mov     eax, CPUID_EXTENDED
    cpuid
    and     edx, CPUID_LONG
    cmp     edx, CPUID_LONG
    jne     fail

    // An identity of the first GiBs, until the hypervisor makes its own map.
    mov     dword ptr [boot_top], offset boot_next + TABLE
    mov     eax, offset boot_directories + TABLE
    mov     edi, offset boot_next
    mov     ecx, MAPPED
1:  mov     [edi], eax
    add     eax, PAGE_SIZE
    add     edi, 8
    loop    1b
    mov     eax, LARGE
    mov     edi, offset boot_directories
    mov     ecx, MAPPED * 512
2:  mov     [edi], eax
    add     eax, 1 << 21
    add     edi, 8
    loop    2b

    mov     eax, CR4_PAE
    mov     cr4, eax
    mov     eax, offset boot_top
    mov     cr3, eax
    mov     ecx, MSR_EFER
    rdmsr
    or      eax, EFER_LONG
    wrmsr
    mov     eax, CR0_LONG
    mov     cr0, eax
    lgdt    [boot_gdt_pointer]
    mov     eax, offset long
    push    SELECTOR_CODE
    push    eax
    retf

// Prints the text at ESI and turns the machine off.
fail:
    mov     edx, COM1_LCR
    mov     al, LCR_8N1
    out     dx, al
1:  lodsb
    test    al, al
    jz      3f
    mov     ah, al
    mov     edx, COM1_LSR
2:  in      al, dx
    test    al, LSR_THRE
    jz      2b
    mov     al, ah
    mov     edx, COM1
    out     dx, al
    jmp     1b
3:  mov     edx, COM1_LSR
    in      al, dx
    test    al, LSR_TEMT
    jz      3b
    mov     esi, offset shutdown        // Bochs
    mov     ecx, 8
    mov     edx, 0x8900
    rep outsb
    xor     eax, eax                    // QEMU
    out     0xF4, al
4:  cli
    hlt
    jmp     4b

not_multiboot:
    .asciz  "\n\x1eumbra error message=\"not started by a multiboot loader: boot with -kernel or GRUB's multiboot\"\n"
not_long:
    .asciz  "\n\x1eumbra error message=\"the processor has no 64-bit mode with NX\"\n"
shutdown:
    .ascii  "Shutdown"

.balign 8
boot_gdt:
    .quad   0
    .quad   0x00AF9B000000FFFF          // code, 64-bit
    .quad   0x00CF93000000FFFF          // data
boot_gdt_pointer:
    .word   . - boot_gdt - 1
    .long   boot_gdt

.code64
long:
    mov     eax, SELECTOR_DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    xor     eax, eax
    mov     fs, eax
    mov     gs, eax
    lldt    ax
    mov     esp, offset __stack_top     // clears the upper half
    mov     edi, ebp
    call    main
5:  cli
    hlt
    jmp     5b

.section .bss.boot, "aw", @nobits
.balign 4096
boot_top:
    .skip   PAGE_SIZE
boot_next:
    .skip   PAGE_SIZE
boot_directories:
    .skip   MAPPED * PAGE_SIZE
