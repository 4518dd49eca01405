// Attempts: what may fault, and goes on behind it if it does.
//
// `cases_recover` holds where to go on, and with which stack; the handler of access.rs does and clears
// the first word. Every attempt saves the stack as it is when it is called, so that `recovered`
// returns from it.

.equ CODE,          0x08                        // selectors of rt's descriptor.rs
.equ DATA,          0x10
.equ USER_DATA,     0x18 | 3
.equ USER_CODE,     0x20 | 3
.equ CODE_32,       0x38
.equ FLAGS_PLAIN,   1 << 1                      // interrupts masked
.equ CR0_PG,        1 << 31
.equ TRAP_FLAG,     1 << 8
.equ NO_PORT,       0x1234                      // at which there is nothing

.section .bss.cases, "aw", @nobits
.balign 16
.global cases_recover
cases_recover: .skip 16

.macro ATTEMPT name, to=recovered
    .balign 16
    .global \name
\name:
    lea     rax, [rip + \to]
    mov     [rip + cases_recover], rax
    mov     [rip + cases_recover + 8], rsp
.endm

.section .text.cases, "ax"

// In: rdi = an address. Out: rax = what it holds.
ATTEMPT try_read
    mov     rax, [rdi]
    jmp     done

// In: rdi = an address, rsi = what to store.
ATTEMPT try_write
    mov     [rdi], rsi
    jmp     done

// In: rdi = a function, rsi and rdx = its arguments. Out: rax.
ATTEMPT try_call
    mov     rax, rdi
    mov     rdi, rsi
    mov     rsi, rdx
    call    rax
    jmp     done

// In: rdi = the end of a stack, rsi = an address that is read with that stack.
ATTEMPT try_read_on
    mov     rsp, rdi
    mov     rax, [rsi]
    jmp     done

// In: rdi = the end of a stack, with which a breakpoint is hit.
ATTEMPT try_break_on
    mov     rsp, rdi
    int3
    jmp     done

// In: rdi = an address in user mode's pages, rsi = rax there, rdx = rdi there. Out: rax.
ATTEMPT try_user, user_return
    push    rbx
    push    rbp
    push    r12
    push    r13
    push    r14
    push    r15
    mov     [rip + cases_recover + 8], rsp
    push    USER_DATA
    push    0
    push    FLAGS_PLAIN
    push    USER_CODE
    push    rdi
    mov     rax, rsi
    mov     rdi, rdx
    iretq

// Executes one instruction with the trap flag set, which takes effect behind the instruction that sets
// it; \name\()_end is where the trap then comes from. In: rdi, rsi = the instruction's own.
.macro TRACED name, instruction:vararg
ATTEMPT \name, traced
    mov     r8, rbx
    xor     eax, eax
    mov     edx, NO_PORT
    pushfq
    or      qword ptr [rsp], TRAP_FLAG
    popfq
    \instruction
    .global \name\()_end
\name\()_end:
    ud2
.endm

traced:
    mov     rbx, r8
    ret

TRACED trace_store, mov [rdi], rsi
TRACED trace_cpuid, cpuid
TRACED trace_cr3, mov cr3, rdi
TRACED trace_in, in al, dx

// Executes one instruction in the shadow of STI, and then CLI. What waits must come in between.
// In: rdi, rsi = the instruction's own.
.macro SHADOWED name, instruction:vararg
    .balign 16
    .global \name
\name:
    push    rbx
    xor     eax, eax
    sti
    \instruction
    cli
    pop     rbx
    ret
.endm

SHADOWED shadow_store, mov [rdi], rsi
SHADOWED shadow_cpuid, cpuid
SHADOWED shadow_halt, hlt

// Code for two pages: an instruction that stores zero at rdi, of which the page's last three bytes
// hold the opcode, and the next page four bytes and a return.
.balign 16
.global straddling_code
straddling_code:
    mov     qword ptr [rdi], 0
    ret

// Stores eight bytes in compatibility mode: the upper half by MOV, the lower one by PUSH of four
// bytes. In: rdi = an address below 4 GiB, rsi = what to store.
.balign 16
.global store_compatible
store_compatible:
    push    rbx
    mov     rbx, rsp
    mov     rdx, rsi
    shr     rdx, 32
    push    CODE_32
    lea     rax, [rip + compatible]
    push    rax
    retfq
.code32
compatible:
    mov     eax, DATA
    mov     ds, eax
    mov     ss, eax
    mov     [edi + 4], edx
    lea     esp, [edi + 4]
    push    esi
    mov     esp, ebx
    push    CODE
    mov     eax, offset long_again
    push    eax
    retf
.code64
long_again:
    mov     esp, ebx
    pop     rbx
    ret

done:
    mov     rsp, [rip + cases_recover + 8]
    mov     qword ptr [rip + cases_recover], 0
recovered:
    ret

// Where user mode's calls lead, and its faults.
.balign 16
.global user_return
user_return:
    mov     qword ptr [rip + cases_recover], 0
    mov     rsp, [rip + cases_recover + 8]
    mov     ecx, DATA
    mov     ds, ecx
    mov     es, ecx
    mov     ss, ecx
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     rbp
    pop     rbx
    ret

// What user mode runs: it reads or writes rax at rdi, and calls.
.balign 16
.global user_code_read, user_code_write, user_code_end
user_code_read:
    mov     rax, [rdi]
    int     0x40
.balign 16
user_code_write:
    mov     [rdi], rax
    xor     eax, eax
    int     0x40
user_code_end:

// Functions for try_call.
.macro SET name, register
    .global \name
\name:
    mov     \register, rdi
    ret
.endm
SET set_cr0, cr0
SET set_cr3, cr3
SET set_cr4, cr4
SET set_cr8, cr8

// In: rdi = a model-specific register, rsi = what to write.
.global set_msr
set_msr:
    mov     ecx, edi
    mov     eax, esi
    mov     rdx, rsi
    shr     rdx, 32
    wrmsr
    ret

// Turns paging off, and with it long mode; stores eight bytes; turns it on.
// In: rdi = a physical address below 4 GiB, rsi = what to store.
.global store_unpaged
store_unpaged:
    push    rbx
    push    rbp
    push    r12
    push    r13
    push    r14
    push    r15
    mov     rdx, rsi
    shr     rdx, 32
    push    CODE_32
    lea     rax, [rip + 1f]
    push    rax
    retfq
.code32
1:  mov     eax, DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    mov     ecx, cr0
    mov     eax, ecx
    and     eax, ~CR0_PG
    mov     cr0, eax
    mov     [edi], esi
    mov     [edi + 4], edx
    mov     cr0, ecx
    push    CODE
    mov     eax, offset paged
    push    eax
    retf
.code64
paged:
    mov     esp, esp
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     rbp
    pop     rbx
    ret
