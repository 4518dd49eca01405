//! Descriptors: where interrupts and exceptions lead, and on which stacks.

use core::arch::asm;
use core::cell::UnsafeCell;

/// The selector of code, 64 bits.
pub const CODE: u16 = 0x08;
/// The selector of data.
pub const DATA: u16 = 0x10;
/// The selector of data of user mode.
pub const USER_DATA: u16 = 0x18 | 3;
/// The selector of code of user mode.
pub const USER_CODE: u16 = 0x20 | 3;
/// The selector of the task state.
const TASK: u16 = 0x28;
/// The selector of code, 32 bits.
pub const CODE_32: u16 = 0x38;

/// The vector of a page fault.
pub const PAGE_FAULT: u8 = 14;
/// The vector of a double fault, which has a stack of its own.
const DOUBLE_FAULT: u8 = 8;

/// Vectors with an entry in vectors.s, in a row; and bytes between two of them.
const VECTORS: u8 = 64;
/// See [`VECTORS`].
const VECTOR_SIZE: usize = 16;

/// An entry of the interrupt descriptor table.
#[repr(C)]
#[derive(Clone, Copy)]
struct Gate([u64; 2]);

impl Gate {
    /// Present, an interrupt gate: interrupts are masked behind it.
    const INTERRUPT: u64 = (1 << 47) | (0b1110 << 40);
    /// Where the privilege level that may call it stands.
    const LEVEL: u32 = 45;
    /// Where the number of its stack stands.
    const STACK: u32 = 32;

    /// A gate that leads to `handler`.
    const fn new(handler: u64, stack: u8, level: u8) -> Self {
        let low = (handler & 0xffff) | ((CODE as u64) << 16) | ((stack as u64) << Self::STACK);
        let high = Self::INTERRUPT | ((level as u64) << Self::LEVEL) | (handler >> 16 << 48);
        Self([low | high, handler >> 32])
    }
}

/// The interrupt descriptor table.
struct Table(UnsafeCell<[Gate; 256]>);

// SAFETY: one CPU, and each entry is written with the processor's own view in mind: no interrupt
// comes by an entry while it is written.
unsafe impl Sync for Table {}

/// See [`Table`].
static TABLE: Table = Table(UnsafeCell::new([Gate([0; 2]); 256]));

/// The task state, of which only stacks are left (AMD64 APM vol. 2, "64-Bit Task State Segment").
#[repr(C, packed(4))]
struct TaskState {
    /// Nothing.
    reserved: u32,
    /// The stacks of levels 0 to 2.
    level_stacks: [u64; 3],
    /// Nothing, and then stacks by number from 1 on.
    stacks: [u64; 8],
    /// Nothing.
    reserved_2: [u32; 2],
    /// Nothing, and where the map of ports is: beyond the end.
    ports: u32,
}

const _: () = assert!(size_of::<TaskState>() == 104);

/// A stack of 16 KiB.
#[repr(C, align(16))]
struct Stack([u8; 1 << 14]);

/// What the processor writes on its own.
#[repr(transparent)]
struct Shared<T>(UnsafeCell<T>);

// SAFETY: written by `start` alone, which is called once, and by the processor.
unsafe impl<T> Sync for Shared<T> {}

/// The stack of interrupts from user mode.
static KERNEL_STACK: Shared<Stack> = Shared(UnsafeCell::new(Stack([0; 1 << 14])));
/// The stack of double faults.
static FAULT_STACK: Shared<Stack> = Shared(UnsafeCell::new(Stack([0; 1 << 14])));
/// The task state.
static STATE: Shared<TaskState> = Shared(UnsafeCell::new(TaskState {
    reserved: 0,
    level_stacks: [0; 3],
    stacks: [0; 8],
    reserved_2: [0; 2],
    ports: (size_of::<TaskState>() as u32) << 16,
}));

impl Shared<Stack> {
    /// Its end, where it begins.
    fn top(&self) -> u64 {
        self.0.get().wrapping_add(1).addr() as u64
    }
}

unsafe extern "C" {
    static rt_vectors: u8;
    static rt_spurious: u8;
    static mut rt_gdt: [u64; 8];
}

/// Loads the interrupt descriptor table and the task state.
pub(crate) fn start() {
    let first = (&raw const rt_vectors).addr();
    for vector in 0..VECTORS {
        // SAFETY: vectors.s has an entry for each.
        unsafe { set_gate(vector, (first + usize::from(vector) * VECTOR_SIZE) as u64, 0) };
    }
    let spurious = (&raw const rt_spurious).addr() as u64;
    // SAFETY: what it leads to returns.
    unsafe { set_gate(super::apic::SPURIOUS, spurious, 0) };
    let fault = (first + usize::from(DOUBLE_FAULT) * VECTOR_SIZE) as u64;
    put_gate(DOUBLE_FAULT, Gate::new(fault, 1, 0));
    load_table();

    // SAFETY: called once, and the task state is not loaded yet.
    let state = unsafe { &mut *STATE.0.get() };
    state.level_stacks[0] = KERNEL_STACK.top();
    state.stacks[1] = FAULT_STACK.top();
    load_task((&raw const *state).addr() as u64);
}

/// Loads the register of the interrupt descriptor table.
pub fn load_table() {
    load_table_at(TABLE.0.get().addr() as u64, size_of_val(&TABLE) as u16);
}

/// Loads a table of `size` bytes at `base`, which may be none.
pub fn load_table_at(base: u64, size: u16) {
    let bytes = base.to_le_bytes();
    let mut pointer = [0; 10];
    pointer[..2].copy_from_slice(&size.wrapping_sub(1).to_le_bytes());
    pointer[2..].copy_from_slice(&bytes);
    // SAFETY: what interrupts lead to is the caller's to know; nothing does before one comes.
    unsafe { asm!("lidt [{}]", in(reg) pointer.as_ptr(), options(nostack, preserves_flags)) };
}

/// Writes the descriptor of the task state at `base`, and loads it.
fn load_task(base: u64) {
    /// Present, an available 64-bit task state.
    const AVAILABLE: u64 = (1 << 47) | (0b1001 << 40);
    let limit = size_of::<TaskState>() as u64 - 1;
    let low = limit | ((base & 0xff_ffff) << 16) | AVAILABLE | (base >> 24 & 0xff) << 56;
    let slot = (&raw mut rt_gdt).cast::<u64>().wrapping_add(usize::from(TASK) / 8);
    // SAFETY: two words of the table that nobody reads yet.
    unsafe { slot.cast::<[u64; 2]>().write_volatile([low, base >> 32]) };
    // SAFETY: the descriptor is complete.
    unsafe { asm!("ltr {:x}", in(reg) TASK, options(nostack, preserves_flags)) };
}

/// Makes the vector lead to `handler`, and callable from the privilege level `level` and above.
///
/// # Safety
///
/// `handler` is the address of code that serves the vector and returns with `IRETQ`; it lives as long as the
/// gate.
pub unsafe fn set_gate(vector: u8, handler: u64, level: u8) {
    put_gate(vector, Gate::new(handler, 0, level));
}

/// Writes an entry of the interrupt descriptor table.
fn put_gate(vector: u8, gate: Gate) {
    let slot = TABLE.0.get().cast::<Gate>().wrapping_add(vector.into());
    // SAFETY: inside the table, which only the processor reads.
    unsafe { slot.write_volatile(gate) };
}

/// Makes the vector lead nowhere.
pub fn clear_gate(vector: u8) {
    put_gate(vector, Gate([0; 2]));
}

/// Makes the vector lead to the runtime's own handler again.
pub fn reset_gate(vector: u8) {
    let first = (&raw const rt_vectors).addr();
    let handler = first + usize::from(vector.min(VECTORS - 1)) * VECTOR_SIZE;
    // SAFETY: vectors.s has an entry for it.
    unsafe { set_gate(vector, handler as u64, 0) };
}
