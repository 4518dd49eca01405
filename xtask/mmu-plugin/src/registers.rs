//! The vCPU's registers, by name.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::qemu::{self, Reader, Register};

/// All registers.
pub(crate) struct Registers {
    handles: BTreeMap<String, *mut Register>,
    reader: RefCell<Reader>,
    failed: Cell<bool>,
}

impl Registers {
    /// Those of the vCPU on whose thread this is called.
    pub(crate) fn of_this_vcpu() -> Self {
        let mut handles = BTreeMap::new();
        for (name, handle) in qemu::registers() {
            handles.entry(name).or_insert(handle);
        }
        Self { handles, reader: RefCell::new(Reader::new()), failed: Cell::new(false) }
    }

    /// The register of that name, if the vCPU has it.
    pub(crate) fn handle(&self, name: &str) -> Option<Handle> {
        self.handles.get(name).copied().map(Handle)
    }

    /// The register of that name.
    pub(crate) fn want(&self, name: &str) -> Result<Handle, String> {
        self.handle(name).ok_or_else(|| format!("the emulator does not show the register {name}"))
    }

    /// What is in a register; 0 if the emulator does not tell.
    pub(crate) fn read(&self, register: Handle) -> u64 {
        self.reader.borrow_mut().read(register.0).unwrap_or_else(|| {
            self.failed.set(true);
            0
        })
    }

    /// Whether the emulator did not tell what is in one.
    pub(crate) const fn failed(&self) -> bool {
        self.failed.get()
    }
}

/// A register.
#[derive(Clone, Copy)]
pub(crate) struct Handle(*mut Register);
