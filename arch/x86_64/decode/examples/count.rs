//! Decodes and executes some instructions, a thousand times each, for a tool that counts:
//!
//! ```text
//! cargo build --release -p x86-decode --example count
//! valgrind --tool=callgrind --callgrind-out-file=count.out target/release/examples/count
//! callgrind_annotate --inclusive=yes count.out
//! ```
//!
//! A thousandth of what a function of this file has in all (its first line) is what one instruction
//! takes, with about 15 for the function itself.

use std::hint::black_box;

use x86_decode::{Instruction, Mode, Outcome, decode};

/// How often.
const TIMES: usize = 1000;

/// Makes a function that decodes one instruction, and one that also does all that follows.
macro_rules! count {
    ($($name:ident, $emulate:ident: $what:literal = $bytes:expr;)*) => {
        $(
            #[doc = concat!("Decodes `", $what, "`.")]
            #[inline(never)]
            fn $name(bytes: &[u8]) -> Option<Instruction> {
                // Keeps the linker from making one function of all.
                black_box($what);
                decode(bytes, Mode::Bits64).ok()
            }

            #[doc = concat!("Decodes `", $what, "`, finds its address and executes it.")]
            #[inline(never)]
            fn $emulate(bytes: &[u8], registers: &[u64; 16]) -> Option<(u64, Outcome)> {
                black_box($what);
                let instruction = decode(bytes, Mode::Bits64).ok()?;
                let address = instruction.address(registers, 0, |_| 0);
                Some((address, instruction.execute(0, registers, 0)?))
            }
        )*

        fn main() {
            let registers = black_box([8; 16]);
            $(
                let mut bytes = [0; 15];
                bytes[..$bytes.len()].copy_from_slice(&$bytes);
                for _ in 0..TIMES {
                    black_box($name(black_box(&bytes)));
                    black_box($emulate(black_box(&bytes), black_box(&registers)));
                }
            )*
        }
    };
}

count! {
    store, emulate_store: "mov [rdi], rax" = [0x48, 0x89, 0x07];
    store_indexed, emulate_store_indexed: "mov [rdi + 8*rcx], rax" = [0x48, 0x89, 0x04, 0xcf];
    store_far, emulate_store_far: "mov [r11 + 8*r9 + 4096], r12" =
        [0x4f, 0x89, 0xa4, 0xcb, 0, 0x10, 0, 0];
    store_immediate, emulate_store_immediate: "mov qword ptr [rdi], 0" =
        [0x48, 0xc7, 0x07, 0, 0, 0, 0];
    store_dword, emulate_store_dword: "mov [rbx + 0xb0], eax" =
        [0x89, 0x83, 0xb0, 0, 0, 0];
    or_locked, emulate_or_locked: "lock or qword ptr [rdi], 32" =
        [0xf0, 0x48, 0x83, 0x0f, 0x20];
    compare_exchange, emulate_compare_exchange: "lock cmpxchg [rdi], rcx" =
        [0xf0, 0x48, 0x0f, 0xb1, 0x0f];
    load, emulate_load: "mov rax, [rdi]" = [0x48, 0x8b, 0x07];
    identify, emulate_identify: "cpuid" = [0x0f, 0xa2];
    call, emulate_call: "vmmcall" = [0x0f, 0x01, 0xd9];
    read_control, emulate_read_control: "mov rax, cr3" = [0x0f, 0x20, 0xd8];
}
