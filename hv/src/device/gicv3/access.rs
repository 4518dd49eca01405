//! What a guest reads and writes.

use super::register::{Bank, Register, distributor, redistributor};
use super::{Frame, Gic, Width, deliver, words};
use arch::irq::{ListRegisters, PhysicalInterrupts, State};

/// `ICFGR` registers below this are for private interrupts and fixed: SGIs are edges, PPIs levels.
const SHARED_TRIGGERS: usize = 2;

/// The bits of a priority that exist: 5, as in most processors' CPU interfaces.
const PRIORITY_BITS: u8 = 0xf8;

/// The affinity and mode fields of `GICD_IROUTER<n>`.
const ROUTE_BITS: u64 = 0xff_80ff_ffff;

impl Gic {
    /// The guest reads `width` at `offset` of `frame`.
    #[inline]
    pub fn read(&self, frame: Frame, offset: u64, width: Width, lists: &impl ListRegisters) -> u64 {
        if frame == Frame::Distributor && offset == distributor::TYPER && width == Width::Word {
            return distributor::TYPER_VALUE;
        }
        self.read_register(Register::decode(frame, offset, width), lists)
    }

    /// Reads any register.
    fn read_register(&self, register: Register, lists: &impl ListRegisters) -> u64 {
        match register {
            Register::Constant(value) => value,
            Register::DistributorControl => {
                u64::from(self.group0) & distributor::CTLR_ENABLE_GRP0
                    | u64::from(self.group1) & distributor::CTLR_ENABLE_GRP1
                    | distributor::CTLR_ARE
                    | distributor::CTLR_DS
            }
            Register::Waker if self.asleep => {
                redistributor::WAKER_PROCESSOR_SLEEP | redistributor::WAKER_CHILDREN_ASLEEP
            }
            Register::Waker => 0,
            Register::Bits(bank, word) => self.read_bits(bank, word, lists).into(),
            Register::Priority(first, width) => self.read_priority(first, width),
            Register::Trigger(half) => words::spread(self.edge.half(half)).into(),
            Register::Route(index, part) => part.of(self.route.get(index).copied().unwrap_or(0)),
        }
    }

    /// Reads a register that holds one bit for each interrupt.
    fn read_bits(&self, bank: Bank, word: usize, lists: &impl ListRegisters) -> u32 {
        match bank {
            Bank::Group => self.group.word(word),
            Bank::SetEnable | Bank::ClearEnable => self.enabled.word(word),
            Bank::SetPending | Bank::ClearPending => {
                self.pending(word)
                    | deliver::in_state(word, lists, |state| {
                        matches!(state, State::Pending | State::PendingAndActive)
                    })
            }
            Bank::SetActive | Bank::ClearActive => {
                self.active.word(word)
                    | deliver::in_state(word, lists, |state| {
                        matches!(state, State::Active | State::PendingAndActive)
                    })
            }
        }
    }

    /// Reads the priorities of as many interrupts from `first` on as `width` has bytes.
    fn read_priority(&self, first: usize, width: Width) -> u64 {
        let mut bytes = [0; 8];
        for (byte, priority) in bytes.iter_mut().zip(self.priority.iter().skip(first)) {
            *byte = *priority;
        }
        u64::from_le_bytes(bytes) & width.mask()
    }

    /// The guest writes `width` of `value` at `offset` of `frame`. Takes effect at once, in the
    /// list registers too.
    pub fn write(
        &mut self,
        frame: Frame,
        offset: u64,
        width: Width,
        value: u64,
        cpu: &mut (impl ListRegisters + PhysicalInterrupts),
    ) {
        let register = Register::decode(frame, offset, width);
        if matches!(register, Register::Constant(_)) {
            return;
        }
        self.recall(cpu);
        self.write_register(register, value, cpu);
        self.follow(cpu);
        self.hand_out(cpu);
    }

    /// Writes any register, while the list registers hold active interrupts only.
    fn write_register(
        &mut self,
        register: Register,
        value: u64,
        cpu: &mut (impl ListRegisters + PhysicalInterrupts),
    ) {
        match register {
            Register::Constant(_) => {}
            Register::DistributorControl => {
                self.group0 = all_if(value & distributor::CTLR_ENABLE_GRP0 != 0);
                self.group1 = all_if(value & distributor::CTLR_ENABLE_GRP1 != 0);
            }
            Register::Waker => {
                self.asleep = value & redistributor::WAKER_PROCESSOR_SLEEP != 0;
            }
            Register::Bits(bank, word) => self.write_bits(bank, word, low_word(value), cpu),
            Register::Priority(first, width) => self.write_priority(first, width, value),
            Register::Trigger(half) if half < SHARED_TRIGGERS => {}
            Register::Trigger(half) => {
                self.edge.set_half(half, words::gather(low_word(value)));
            }
            Register::Route(index, part) => {
                if let Some(route) = self.route.get_mut(index) {
                    *route = part.replace(*route, value) & ROUTE_BITS;
                }
            }
        }
    }

    /// Writes a register that holds one bit for each interrupt.
    fn write_bits(
        &mut self,
        bank: Bank,
        word: usize,
        value: u32,
        cpu: &mut (impl ListRegisters + PhysicalInterrupts),
    ) {
        match bank {
            Bank::Group => self.group.replace(word, value),
            Bank::SetEnable => self.enabled.insert(word, value),
            Bank::ClearEnable => self.enabled.remove(word, value),
            Bank::SetPending => self.latch.insert(word, value),
            Bank::ClearPending => {
                self.latch.remove(word, value);
                if word == 0 {
                    self.give_back(value, cpu);
                }
            }
            Bank::SetActive => self.active.insert(word, value),
            Bank::ClearActive => {
                self.active.remove(word, value);
                deliver::deactivate(word, value, cpu);
            }
        }
    }

    /// Writes the priorities of as many interrupts from `first` on as `width` has bytes.
    fn write_priority(&mut self, first: usize, width: Width, value: u64) {
        let bytes = value.to_le_bytes().into_iter().take(width.bytes());
        for (priority, byte) in self.priority.iter_mut().skip(first).zip(bytes) {
            *priority = byte & PRIORITY_BITS;
        }
    }
}

/// All ones or zero.
const fn all_if(condition: bool) -> u32 {
    if condition { u32::MAX } else { 0 }
}

/// The lower half of `value`.
const fn low_word(value: u64) -> u32 {
    (value & u32::MAX as u64) as u32
}
