//! The operations, by their mnemonics.

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    // The eight that have a number in the encoding, in its order.
    /// Add.
    Add,
    /// Inclusive or.
    Or,
    /// Add with carry.
    Adc,
    /// Subtract with borrow.
    Sbb,
    /// And.
    And,
    /// Subtract.
    Sub,
    /// Exclusive or.
    Xor,
    /// Compare: a subtraction that keeps only the flags.
    Cmp,

    // So have these four.
    /// Bit test.
    Bt,
    /// Bit test and set.
    Bts,
    /// Bit test and reset.
    Btr,
    /// Bit test and complement.
    Btc,

    /// Load or store.
    Mov,
    /// Load with zero extension.
    Movzx,
    /// Load with sign extension.
    Movsx,
    /// Load of 32 bits with sign extension.
    Movsxd,
    /// Store past the caches.
    Movnti,
    /// Load or store with the bytes in reverse order.
    Movbe,
    /// Exchange.
    Xchg,
    /// Exchange and add.
    Xadd,
    /// Compare with the accumulator and exchange.
    Cmpxchg,
    /// The same with a pair of registers and twice as much memory: CMPXCHG8B and CMPXCHG16B.
    CmpxchgPair,
    /// An and that keeps only the flags.
    Test,
    /// Increment.
    Inc,
    /// Decrement.
    Dec,
    /// One's complement.
    Not,
    /// Two's complement.
    Neg,

    /// Store to a string.
    Stos,
    /// From string to string.
    Movs,
    /// From a port to a string.
    Ins,
    /// From a string to a port.
    Outs,
    /// From a port.
    In,
    /// To a port.
    Out,

    /// MOV to or from a control register.
    MovControl,
    /// Clear CR0.TS.
    Clts,
    /// Load the machine status word, the low bits of CR0.
    Lmsw,
    /// Store the machine status word.
    Smsw,
    /// Forget the translation of an address.
    Invlpg,
    /// Forget translations by PCID.
    Invpcid,
    /// Forget the caches.
    Invd,
    /// Write the caches back and forget them.
    Wbinvd,
    /// Write the caches back.
    Wbnoinvd,

    /// Identify the processor.
    Cpuid,
    /// Read a model-specific register.
    Rdmsr,
    /// Write a model-specific register.
    Wrmsr,
    /// Read a performance counter.
    Rdpmc,
    /// Read the time-stamp counter.
    Rdtsc,
    /// Read the time-stamp counter and TSC_AUX.
    Rdtscp,
    /// Read an extended control register.
    Xgetbv,
    /// Write an extended control register.
    Xsetbv,
    /// Stop until an interrupt.
    Hlt,
    /// A hint in a loop that waits.
    Pause,
    /// Arm the monitor.
    Monitor,
    /// Wait for the monitor.
    Mwait,
    /// Arm the monitor, at any privilege (AMD).
    Monitorx,
    /// Wait for the monitor, at any privilege (AMD).
    Mwaitx,

    /// Call the hypervisor (Intel).
    Vmcall,
    /// Start a guest (Intel).
    Vmlaunch,
    /// Go on with a guest (Intel).
    Vmresume,
    /// Leave VMX operation.
    Vmxoff,
    /// Enter VMX operation.
    Vmxon,
    /// Call a function that the hypervisor offers (Intel).
    Vmfunc,
    /// Write a VMCS back and forget it.
    Vmclear,
    /// Make a VMCS the current one.
    Vmptrld,
    /// Store the address of the current VMCS.
    Vmptrst,
    /// Read a field of the VMCS.
    Vmread,
    /// Write a field of the VMCS.
    Vmwrite,
    /// Forget translations by EPT.
    Invept,
    /// Forget translations by VPID.
    Invvpid,

    /// Call the hypervisor (AMD).
    Vmmcall,
    /// Run a guest (AMD).
    Vmrun,
    /// Load what VMRUN leaves.
    Vmload,
    /// Save what VMRUN leaves.
    Vmsave,
    /// Set the global interrupt flag.
    Stgi,
    /// Clear the global interrupt flag.
    Clgi,
    /// Start a measured loader.
    Skinit,
    /// Forget the translation of an address, by ASID.
    Invlpga,
}

impl Operation {
    /// The operation with that number in opcodes 00 to 3F and in group 1.
    pub(crate) const fn arithmetic(number: u8) -> Self {
        match number & 7 {
            0 => Self::Add,
            1 => Self::Or,
            2 => Self::Adc,
            3 => Self::Sbb,
            4 => Self::And,
            5 => Self::Sub,
            6 => Self::Xor,
            _ => Self::Cmp,
        }
    }

    /// The operation with that number in opcodes 0F A3 to BB and, plus four, in group 8.
    pub(crate) const fn bit(number: u8) -> Self {
        match number & 3 {
            0 => Self::Bt,
            1 => Self::Bts,
            2 => Self::Btr,
            _ => Self::Btc,
        }
    }

    /// Whether it is one of those four.
    pub(crate) const fn is_bit(self) -> bool {
        matches!(self, Self::Bt | Self::Bts | Self::Btr | Self::Btc)
    }

    /// Whether it goes over strings.
    pub(crate) const fn is_string(self) -> bool {
        matches!(self, Self::Stos | Self::Movs | Self::Ins | Self::Outs)
    }

    /// Whether it may be locked when it writes memory.
    pub(crate) const fn is_lockable(self) -> bool {
        matches!(
            self,
            Self::Add | Self::Or | Self::Adc | Self::Sbb | Self::And | Self::Sub | Self::Xor
        ) || matches!(
            self,
            Self::Bts | Self::Btr | Self::Btc | Self::Inc | Self::Dec | Self::Not | Self::Neg
        ) || matches!(self, Self::Xchg | Self::Xadd | Self::Cmpxchg | Self::CmpxchgPair)
    }
}
