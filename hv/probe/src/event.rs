//! The closed list of events, with the names that the report prints.

/// What sort of thing an event is, which decides how it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A reason for which a guest was left. Exits by reason sum to all exits.
    Exit,
    /// A function of the hypervisor.
    Function,
    /// What a call of the given function came to. Outcomes sum to the function's calls.
    Outcome(Event),
    /// Something that is only counted.
    Counter,
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident $name:literal $kind:expr;)*) => {
        /// Everything that is counted or measured.
        ///
        /// Functions carry the names that their literature knows, so that their figures stand in
        /// the same row as published ones.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Event { $($(#[$doc])* $variant,)* }

        impl Event {
            /// Every event, in the order of the report.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that the report prints.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What sort of event it is.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => $kind,)* }
            }
        }
    };
}

events! {
    /// A hypercall: HVC, VMCALL, VMMCALL.
    ExitHypercall "hypercall" Kind::Exit;
    /// A call to firmware that the guest made by SMC.
    ExitSmc "smc" Kind::Exit;
    /// A memory access that the hypervisor's tables did not allow: data.
    ExitData "data_abort" Kind::Exit;
    /// A memory access that the hypervisor's tables did not allow: instruction fetch.
    ExitInstruction "instruction_abort" Kind::Exit;
    /// A system register that is not the guest's to touch.
    ExitRegister "system_register" Kind::Exit;
    /// A question to the processor about itself: CPUID.
    ExitCpuid "cpuid" Kind::Exit;
    /// A model-specific register.
    ExitModelRegister "msr" Kind::Exit;
    /// A control register.
    ExitControlRegister "control_register" Kind::Exit;
    /// An I/O port.
    ExitPort "io_port" Kind::Exit;
    /// A physical interrupt.
    ExitInterrupt "interrupt" Kind::Exit;
    /// The guest waits for an interrupt or event.
    ExitIdle "idle" Kind::Exit;
    /// A single step that the hypervisor asked for has been made.
    ExitStep "step" Kind::Exit;
    /// The guest can take an interrupt that had to wait.
    ExitWindow "interrupt_window" Kind::Exit;
    /// Anything else.
    ExitOther "other" Kind::Exit;

    /// Handles a fault that shadow tables raised.
    ShPageFault "sh_page_fault" Kind::Function;
    /// The shadow lacked what the guest's tables have; it was filled in.
    FaultFixed "fault_fixed" Kind::Outcome(Event::ShPageFault);
    /// The address is a device's.
    FaultMmio "mmio" Kind::Outcome(Event::ShPageFault);
    /// The guest stored to one of its tables; the store is carried out for it.
    FaultEmulate "emulate" Kind::Outcome(Event::ShPageFault);
    /// The shadow was as it should be and the fault is the guest's.
    FaultNotShadow "not_a_shadow_fault" Kind::Outcome(Event::ShPageFault);
    /// Carries out a store to a guest table and brings the shadow up to date.
    ShEmulateWrite "sh_emulate_write" Kind::Function;
    /// The same for an exclusive or compare-and-swap store.
    ShEmulateCmpxchg "sh_emulate_cmpxchg" Kind::Function;
    /// Carries out many stores that the guest handed over in one call.
    ShUpdateBatch "sh_update_batch" Kind::Function;
    /// The guest loads a root: TTBR0_EL1 or TTBR1_EL1, CR3.
    ShUpdateCr3 "sh_update_cr3" Kind::Function;
    /// The guest invalidates a translation. Neither TLBI nor INVLPG needs an exit, so it does so unseen.
    ShInvlpg "sh_invlpg" Kind::Function;
    /// Makes an empty shadow of a guest table and takes write access to the table away.
    ShMakeShadow "sh_make_shadow" Kind::Function;
    /// Takes a leaf table's shadow away.
    ShRemoveL1Shadow "sh_remove_l1_shadow" Kind::Function;
    /// Takes write access to a frame out of every shadow leaf that maps it.
    ShRemoveWriteAccess "sh_remove_write_access" Kind::Function;
    /// Derives one leaf entry of a shadow from the guest's.
    L1ePropagate "l1e_propagate_from_guest" Kind::Function;
    /// Derives one table entry of a shadow from the guest's.
    L2ePropagate "l2e_propagate_from_guest" Kind::Function;
    /// Walks the guest's tables as the architecture says.
    GuestWalkTables "guest_walk_tables" Kind::Function;
    /// Fills a whole leaf table's shadow.
    ShMapAndValidate "sh_map_and_validate" Kind::Function;
    /// Fills the shadow of a table that leads to tables.
    ShFillTable "sh_fill_table" Kind::Function;
    /// Takes the shadow of a table that leads to tables away.
    ShRemoveTable "sh_remove_table" Kind::Function;
    /// Sets a leaf table's shadow aside, which is stored to again and again.
    ShUnsync "sh_unsync_l1" Kind::Function;
    /// Takes the shadow of a leaf table back that was set aside, and brings it in sync.
    ShResync "sh_resync_l1" Kind::Function;
    /// Finds the guest frame behind a guest-virtual address.
    ShGvaToGfn "sh_gva_to_gfn" Kind::Function;
    /// Takes a frame for a table.
    GetPage "get_page" Kind::Function;

    /// Handles a fault of a nested tree.
    NestedFault "nested_fault" Kind::Function;
    /// The address is a device's.
    NestedMmio "mmio" Kind::Outcome(Event::NestedFault);
    /// Nothing is behind the address.
    NestedRejected "rejected" Kind::Outcome(Event::NestedFault);

    /// Emulates an access to a device.
    EmulateMmio "emulate_mmio" Kind::Function;
    /// Emulates an access to an I/O port.
    EmulatePort "emulate_port" Kind::Function;
    /// Emulates an access to a system register.
    EmulateRegister "emulate_register" Kind::Function;
    /// Answers a hypercall.
    EmulateHypercall "emulate_hypercall" Kind::Function;
    /// Takes a physical interrupt and makes it the guest's.
    HandleInterrupt "handle_interrupt" Kind::Function;

    /// Entries written into shadow tables, fills included.
    ShadowEntries "shadow_entries_written" Kind::Counter;
    /// Faults that filled what lies around them.
    AroundFaults "around_faults" Kind::Counter;
    /// Leaves that were filled so.
    AroundFilled "around_filled" Kind::Counter;
    /// Such faults in a table that was filled around before: what was filled then was too little.
    AroundAgain "around_again" Kind::Counter;
    /// Invalidations of one address.
    FlushAddress "flush_address" Kind::Counter;
    /// Invalidations of one address space.
    FlushRoot "flush_root" Kind::Counter;
    /// Invalidations of everything a VM has.
    FlushAll "flush_all" Kind::Counter;
    /// Leaves of more than a page that were put into shadow tables.
    BlockMapped "blocks_mapped" Kind::Counter;
    /// Blocks that were split because a guest table lies in them.
    Split "blocks_split" Kind::Counter;
    /// Blocks that became whole again.
    Join "blocks_joined" Kind::Counter;
    /// Leaves that the reverse map had, when all leaves of a frame or block were to be changed.
    ReverseFound "rmap_found" Kind::Counter;
    /// Shadow entries that were searched for them where there is no reverse map.
    ReverseScanned "rmap_scanned" Kind::Counter;
    /// Shadow tables given up to make room.
    Evict "shadows_evicted" Kind::Counter;
    /// Shadow tables given up because their guest table seemed to be something else by now.
    Abandon "shadows_abandoned" Kind::Counter;
    /// Those of them that were a table still, as it was.
    AbandonWrong "abandoned_wrong" Kind::Counter;
    /// Leaf tables set aside, so that stores to them are free until their next use.
    Unsync "tables_unsynced" Kind::Counter;
    /// Leaf tables taken back at their next use.
    Resync "tables_resynced" Kind::Counter;
    /// Entries that had changed in tables that were taken back.
    ResyncEntries "entries_resynced" Kind::Counter;
    /// Tables taken back in which too little had changed for it to pay.
    UnsyncWrong "unsync_wrong" Kind::Counter;
    /// Roots given up to make room.
    RootEvict "roots_evicted" Kind::Counter;
    /// A root that was still there when the guest loaded it.
    RootHit "roots_hit" Kind::Counter;
    /// A root that had to be made.
    RootMiss "roots_missed" Kind::Counter;
    /// Stores that were stepped because the hardware did not describe them.
    Stepped "stores_stepped" Kind::Counter;
    /// Calls by which a guest handed stores to its tables over.
    Batches "batches" Kind::Counter;
    /// Stores that were carried out in such calls.
    BatchedUpdates "batched_updates" Kind::Counter;
    /// A fault whose cause was gone when it was looked at; the access was retried.
    Retried "faults_retried" Kind::Counter;
    /// Faults given to the guest.
    Reflected "faults_reflected" Kind::Counter;
}

impl Event {
    /// How many events there are.
    pub const COUNT: usize = Self::ALL.len();

    /// This event's place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
