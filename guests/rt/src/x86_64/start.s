// The first instructions: from a loader's 32-bit protected mode to long mode with a stack.
//
// Two protocols lead to the same entry: PVH, which finds it in an ELF note (EBX = hvm_start_info),
// and multiboot, which finds it in a header (EAX = 0x2badb002, EBX = its information). Multiboot
// loads 32-bit ELF files only; the header's address fields make it copy the file as it is.

.equ MULTIBOOT_MAGIC,   0x1badb002
.equ MULTIBOOT_FLAGS,   (1 << 0) | (1 << 1) | (1 << 16) // whole pages, memory map, address fields
.equ PHYS32_ENTRY,      18                      // XEN_ELFNOTE_PHYS32_ENTRY

.equ PRESENT,           1 << 0
.equ WRITABLE,          1 << 1
.equ WRITE_THROUGH,     1 << 3
.equ NO_CACHE,          1 << 4
.equ ACCESSED,          1 << 5
.equ DIRTY,             1 << 6
.equ LARGE,             1 << 7
.equ GLOBAL,            1 << 8
.equ TABLE,             PRESENT | WRITABLE | ACCESSED
.equ LEAF,              PRESENT | WRITABLE | ACCESSED | DIRTY | LARGE | GLOBAL
.equ LARGE_SIZE,        1 << 21
.equ APIC,              0xfee00000

.equ CR0_PE,            1 << 0
.equ CR0_MP,            1 << 1
.equ CR0_ET,            1 << 4
.equ CR0_NE,            1 << 5
.equ CR0_WP,            1 << 16
.equ CR0_PG,            1 << 31
.equ CR4_PAE,           1 << 5
.equ CR4_PGE,           1 << 7
.equ CR4_OSFXSR,        1 << 9
.equ CR4_OSXMMEXCPT,    1 << 10
.equ EFER,              0xc0000080
.equ EFER_LME,          1 << 8
.equ EFER_NXE,          1 << 11

.equ CODE,              0x08                    // rt_gdt, below
.equ DATA,              0x10

.section .multiboot, "a"
.balign 4
multiboot_header:
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_FLAGS
    .long 0 - (MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
    .long multiboot_header
    .long __image_start
    .long __load_end
    .long __image_end
    .long rt_start

.section .note.pvh, "a", @note
.balign 4
    .long 4, 4, PHYS32_ENTRY
    .asciz "Xen"
    .long rt_start

// The identity map of the first 4 GiB, in global pages of 2 MiB, which every 64-bit processor has.
.section .bss.tables, "aw", @nobits
.balign 4096
.global rt_root, rt_directories
rt_root:        .skip 4096
rt_gibs:        .skip 4096
rt_directories: .skip 4 * 4096

// The two zeros are for the task state's descriptor (descriptor.rs).
.section .data.gdt, "aw"
.balign 16
.global rt_gdt
rt_gdt:
    .quad 0
    .quad 0x00af9b000000ffff                    // code, 64 bits
    .quad 0x00cf93000000ffff                    // data
    .quad 0x00cff3000000ffff                    // data of user mode
    .quad 0x00affb000000ffff                    // code of user mode, 64 bits
    .quad 0, 0
    .quad 0x00cf9b000000ffff                    // code, 32 bits
gdt_pointer:
    .word gdt_pointer - rt_gdt - 1
    .quad rt_gdt

.section .text.start, "ax"
.code32
.global rt_start
rt_start:
    cli
    cld
    mov     ebp, ebx
    mov     ebx, eax
    mov     edi, offset __bss_start
    mov     ecx, offset __bss_end
    sub     ecx, edi
    shr     ecx, 2
    xor     eax, eax
    rep stosd

    mov     dword ptr [rt_root], offset rt_gibs + TABLE
    mov     eax, offset rt_directories + TABLE
    xor     ecx, ecx
1:  mov     [rt_gibs + ecx * 8], eax
    add     eax, 4096
    inc     ecx
    cmp     ecx, 4
    jb      1b
    mov     eax, LEAF
    mov     edi, offset rt_directories
2:  mov     [edi], eax
    add     edi, 8
    add     eax, LARGE_SIZE
    jnc     2b
    or      dword ptr [rt_directories + APIC / LARGE_SIZE * 8], WRITE_THROUGH | NO_CACHE

    mov     eax, CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT
    mov     cr4, eax
    mov     eax, offset rt_root
    mov     cr3, eax
    mov     ecx, EFER
    rdmsr
    or      eax, EFER_LME | EFER_NXE
    wrmsr
    mov     eax, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG
    mov     cr0, eax
    lgdt    [gdt_pointer]
    mov     esp, offset __stack_top
    push    CODE
    mov     eax, offset long_mode
    push    eax
    retf

.code64
long_mode:
    mov     eax, DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    xor     eax, eax
    mov     fs, eax
    mov     gs, eax
    mov     esp, offset __stack_top
    mov     edi, ebx
    mov     esi, ebp
    xor     ebp, ebp
    call    rt_boot
    ud2
