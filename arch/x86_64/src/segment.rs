//! Segments: as good as none, since 64-bit mode has no use for them.
//!
//! The task state segment holds one thing: the stack for a double fault, which is what a stack that
//! has grown too far ends in. While a guest's TR is in the processor (the crate's documentation says
//! when) that fault finds no stack and resets the machine.

use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

/// Which entry of the interrupt stack table a double fault takes.
pub const DOUBLE_FAULT_STACK: u16 = 0;

/// Bytes of a double fault's stack: enough to print a line.
const STACK_SIZE: usize = 4096;

/// Null, code, data, and the two words of a task state segment's descriptor.
const ENTRIES: usize = 5;

/// A stack for a double fault.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Stack([u8; STACK_SIZE]);

impl Stack {
    /// Not in use.
    pub const EMPTY: Self = Self([0; STACK_SIZE]);
}

/// A CPU's segments.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Segments {
    task: TaskStateSegment,
    table: GlobalDescriptorTable<ENTRIES>,
    selectors: Selectors,
}

/// What the segment registers hold while the hypervisor runs.
#[derive(Clone, Copy, Debug)]
pub struct Selectors {
    /// CS.
    pub code: SegmentSelector,
    /// SS, DS and ES.
    pub data: SegmentSelector,
    /// TR.
    pub task: SegmentSelector,
}

impl Segments {
    /// Not in use yet.
    #[must_use]
    pub const fn unloaded() -> Self {
        Self {
            task: TaskStateSegment::new(),
            table: GlobalDescriptorTable::empty(),
            selectors: Selectors {
                code: SegmentSelector::NULL,
                data: SegmentSelector::NULL,
                task: SegmentSelector::NULL,
            },
        }
    }

    /// Puts them into this CPU's registers. A double fault takes `stack`.
    pub fn load(&'static mut self, stack: &'static mut Stack) -> &'static Self {
        let top = (&raw const *stack).wrapping_add(1);
        self.task.interrupt_stack_table[usize::from(DOUBLE_FAULT_STACK)] = VirtAddr::from_ptr(top);
        // SAFETY: the task state segment stays where it is for good.
        let task = unsafe { Descriptor::tss_segment_unchecked(&raw const self.task) };
        self.selectors = Selectors {
            code: self.table.append(Descriptor::kernel_code_segment()),
            data: self.table.append(Descriptor::kernel_data_segment()),
            task: self.table.append(task),
        };
        let this = &*self;
        this.table.load();
        let Selectors { code, data, task } = this.selectors;
        // SAFETY: this is a code segment as the one in use is, flat and of ring 0.
        unsafe { CS::set_reg(code) };
        // SAFETY: this is a flat, writable segment of ring 0.
        unsafe { SS::set_reg(data) };
        // SAFETY: the same.
        unsafe { DS::set_reg(data) };
        // SAFETY: the same.
        unsafe { ES::set_reg(data) };
        // SAFETY: this is a task state segment, loaded once.
        unsafe { load_tss(task) };
        this
    }

    /// What the segment registers hold.
    #[must_use]
    pub const fn selectors(&self) -> Selectors {
        self.selectors
    }

    /// Where the task state segment stands.
    #[must_use]
    pub fn task(&self) -> u64 {
        (&raw const self.task) as u64
    }
}
