//! The instructions that a hypervisor carries out in a guest's stead.
//!
//! Three kinds: a *store to a page table* that the shadow engine protects, with every read and write
//! that goes with it; an *access to a device* in memory; and, where the processor tells no more than that
//! it stopped, the length and the operands of an *instruction that was intercepted*.
//!
//! The rule is: *exactly right, or not at all*. What stands here is decoded and executed as the processor
//! does it, to the last flag; the tests compare each form with `iced-x86` and with the processor that they
//! run on. For all else [`decode`] answers [`Error::Unknown`], and the guest may execute that one
//! instruction itself, by a single step. So forms without a memory operand, SSE, PUSH and CALL, 16-bit
//! addresses and whatever a processor answers with an invalid opcode may stay unknown.
//!
//! Use, in this order:
//!
//! 1. [`decode`] the bytes at RIP.
//! 2. [`Instruction::address`] says where the memory operand is.
//! 3. If it [`reads`](Instruction::reads), read [`size`](Instruction::size) bytes there.
//! 4. [`Instruction::execute`] says what is in memory, registers and flags then.
//! 5. If it [`writes`](Instruction::writes), write [`Outcome::memory`] there, and move RIP on by
//!    [`length`](Instruction::length).
//!
//! Of a MOV to memory [`Instruction::stored`] says all. A string instruction has
//! [`elements`](Instruction::element) instead of an address.
//!
//! Intel SDM vol. 2, "Instruction Format" and appendix A, "Opcode Map".

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod address;
mod alu;
mod condition;
mod cursor;
mod decode;
mod execute;
mod flags;
mod form;
mod group;
mod instruction;
mod map;
mod modrm;
mod operand;
mod operation;
mod prefix;

pub use address::Element;
pub use decode::decode;
pub use execute::Outcome;
pub use flags::Flags;
pub use instruction::{Error, Instruction, Mode};
pub use operand::{Base, Memory, Operand, Part, Register, Registers, Segment, Size, number};
pub use operation::Operation;
