//! What differs between the instruction sets.

use mmu_model::architecture::{Architecture, Context};
use mmu_model::invalidation::Invalidation;

use crate::ram::Ram;
use crate::registers::{Handle, Registers};

/// On which side of the virtualization hardware something runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Below it, or without it: a hypervisor, or whatever runs on the bare machine.
    Host,
    /// Above it.
    Guest,
}

/// The machine, as far as a target looks at it.
pub(crate) struct Machine {
    pub(crate) registers: Registers,
    pub(crate) ram: Ram,
}

/// What an instruction is to the model.
pub(crate) enum Seen<A> {
    /// Something is done about it when it is executed.
    Action(A),
    /// It is counted, by its place in [`Target::COUNTED`].
    Counted(usize),
}

/// What comes of an instruction that is about to be executed.
#[derive(Default)]
pub(crate) struct Effect {
    /// The phase that begins, as the two halves of its name.
    pub(crate) phase: Option<[u64; 2]>,
    /// What is forgotten once the instruction has been executed, and has not trapped; or why the run cannot be
    /// modelled any further then.
    pub(crate) forget: Option<Result<Invalidation, String>>,
    /// What is forgotten now.
    pub(crate) forget_now: Option<Invalidation>,
    /// Where translation may be another afterwards.
    pub(crate) changes: &'static [Mode],
    /// Whose accesses those are that the instruction itself makes, if not of whoever executes it.
    pub(crate) enters: Option<Mode>,
}

/// An instruction that was about to be executed when it was last heard of.
pub(crate) struct Pending {
    /// Where it stands.
    pub(crate) at: u64,
    /// Where the one behind it does.
    pub(crate) behind: u64,
    /// What it makes the hardware forget, or why that is not modelled.
    pub(crate) forget: Result<Invalidation, String>,
}

/// What is in force, and what that made the hardware forget.
pub(crate) type InForce<A> = (Context<A>, Option<Invalidation>);

/// An instruction set.
pub(crate) trait Target: Sized + 'static {
    /// Its tables.
    type Architecture: Architecture;
    /// Something that one of its instructions does.
    type Action: Copy;
    /// Instructions whose accesses are not modelled, and are counted.
    const COUNTED: &'static [&'static str];
    /// What is not modelled and cannot be counted.
    const UNCOUNTED: &'static [&'static str];

    /// Looks for the registers that it wants.
    fn new(registers: &Registers) -> Result<Self, String>;
    /// The program counter.
    fn pc(&self) -> Handle;
    /// The virtual address of a block that begins, with the program counter at `pc`, in `mode`. `translated` is
    /// where it began when it was translated, by the address of an alias perhaps.
    fn virtual_address(&self, _mode: Mode, pc: u64, _translated: u64) -> u64 {
        pc
    }
    /// In which mode the block that is translated will run. `start` is where it begins in the emulator's memory.
    fn mode(&self, machine: &Machine, start: Option<usize>) -> Result<Mode, String>;
    /// Whether the processor comes to a block that begins there when it leaves a guest, and in no other way.
    fn is_left_to(&self, _start: Option<usize>) -> bool {
        false
    }
    /// The processor has left the guest.
    fn left(&mut self) {}
    /// What an instruction is. `host` is where it stands in the emulator's memory.
    fn look(&mut self, bytes: &[u8], host: Option<usize>) -> Option<Seen<Self::Action>>;
    /// Does what is to be done before an instruction.
    fn execute(&mut self, action: Self::Action, machine: &Machine) -> Effect;
    /// Whether an instruction was executed, now that a block begins at `pc` in `mode`.
    fn was_executed(&self, pending: &Pending, machine: &Machine, mode: Mode, pc: u64) -> bool;
    /// What is in force in `mode`.
    fn in_force(
        &mut self,
        machine: &Machine,
        mode: Mode,
    ) -> Result<InForce<Self::Architecture>, String>;
}
