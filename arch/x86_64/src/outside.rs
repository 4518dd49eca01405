//! A guest's table where there is no RAM, over nested tables.
//!
//! The hardware walks the guest's tables itself, and meets a fault of the nested ones at an address that no
//! instruction names. Where nothing answers all bits read as ones, some of which are reserved in an
//! entry: a page fault with RSVD, as a shadow gives it too. SVM does not tell for which linear address
//! the walk was, so those that the instruction at hand can mean are tried in the order of the processor.

use arch::exit::{Exit, MemoryExit};
use paging::addr::{Gpa, Gva, PAGE_SIZE};
use paging::attrs::{Access, Kind};
use paging::fault::{Fault, GuestFault};
use paging::format::x64::X64;
use paging::mem::{Env, Memory, World};
use paging::walk;

use crate::control::{Controls, PagingMode};
use crate::fetch::GuestTables;
use crate::hardware::{Field, Hardware};
use crate::vcpu::{Context, FaultCode, PageFault, USER};

/// Whether the way to `at` leads out of RAM.
fn is_outside(memory: &impl Memory, controls: &Controls, at: u64) -> bool {
    let roots = [controls.root(), Gpa::from_bits(0)];
    let found = walk::translate::<X64>(memory, &controls.regime(), roots, Gva::from_bits(at));
    matches!(found, Err(GuestFault::Reserved(_)))
}

impl<H: Hardware> Context<H> {
    /// The page fault that the guest is to get for a walk which led out of RAM, if it can be told.
    #[cold]
    pub(crate) fn walk_outside<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> Exit {
        let controls = tables.controls(self);
        let found = match controls.paging() {
            PagingMode::FourLevel => self.find_outside(world, tables, &controls),
            PagingMode::Off | PagingMode::Other => None,
        };
        let Some((at, kind)) = found else { return Exit::Unknown };
        let user = self.hardware.privilege() == USER;
        let mut code = FaultCode::empty();
        code.set(FaultCode::WRITE, kind == Kind::Write);
        code.set(FaultCode::USER, user);
        code.set(FaultCode::FETCH, kind == Kind::Execute);
        self.fault = PageFault { at, code };
        let access = Access { kind, user, guarded: false };
        let fault = Fault::Page { at: Gva::from_bits(at), access, present: true };
        let fetch = kind == Kind::Execute;
        Exit::Memory(MemoryExit { fault, fetch, transfer: None, maintenance: false })
    }

    /// The linear address, and what was wanted there.
    fn find_outside<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
        controls: &Controls,
    ) -> Option<(u64, Kind)> {
        let (code, _) = self.code()?;
        if is_outside(world.memory, controls, code) {
            return Some((code, Kind::Execute));
        }
        if self.hardware.interrupted().is_some() {
            return None;
        }
        let Some(instruction) = self.instruction_at_hand(world, tables) else {
            let next = (code | (PAGE_SIZE - 1)).wrapping_add(1);
            return is_outside(world.memory, controls, next).then_some((next, Kind::Execute));
        };
        let rip = self.hardware.get(Field::Rip);
        let first = instruction.address(self.registers(), rip, |segment| self.base(segment));
        let last = first.wrapping_add(instruction.size.bytes() - 1) & !(PAGE_SIZE - 1);
        let kind = if instruction.writes() { Kind::Write } else { Kind::Read };
        let at = [first, last].into_iter().find(|&at| is_outside(world.memory, controls, at))?;
        Some((at, kind))
    }
}
