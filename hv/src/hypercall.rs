//! What a guest may ask of the hypervisor.

use arch::{Mmu, Platform, Vcpu};
use hv_abi::call;
use probe::{Event, Probe};

use crate::device::Board;
use crate::machine::{End, Line, Machine};
use crate::psci;

/// Where the ids of calls that are known begin; those of the vendor's range that lie above are
/// unknown at a glance.
const LAST_OF_OURS: u64 = call::UPDATE;

impl<P: Platform, B: Board<P>, L: Line> Machine<P, B, L> {
    /// Answers the hypercall at hand. An unknown one is told so, and no more.
    #[inline]
    pub(crate) fn hypercall(&mut self) -> Option<End> {
        let id = self.vcpu.argument(0);
        if id > LAST_OF_OURS {
            self.vcpu.set_result(0, call::NOT_SUPPORTED);
            return None;
        }
        self.known_hypercall(id)
    }

    #[inline(never)]
    fn known_hypercall(&mut self, id: u64) -> Option<End> {
        let span = self.shared.probe.start();
        let end = self.answer(id);
        self.shared.probe.stop(Event::EmulateHypercall, span);
        end
    }

    fn answer(&mut self, id: u64) -> Option<End> {
        let argument = self.vcpu.argument(1);
        let result = match id {
            _ if !self.vcpu.is_privileged() => call::NOT_SUPPORTED,
            call::EXIT => return Some(End::Exit(argument as u8)),
            call::PHASE_BEGIN => {
                self.phases.begin([argument, self.vcpu.argument(2)], self.shared.probe);
                call::SUCCESS
            }
            call::PHASE_END => {
                self.phases.end(argument, self.shared.probe);
                call::SUCCESS
            }
            call::FEATURES if self.mmu.takes_updates() => call::FEATURE_UPDATE,
            call::FEATURES => 0,
            call::UPDATE if self.mmu.takes_updates() => {
                return self.update(argument).err().map(End::Killed);
            }
            call::VENDOR_UID => {
                for (number, word) in call::UID.into_iter().enumerate() {
                    self.vcpu.set_result(number, u64::from(word));
                }
                return None;
            }
            _ => match self.board.firmware(id, argument) {
                Some(psci::Outcome::Result(result)) => result,
                Some(psci::Outcome::Off) => return Some(End::Off),
                None => call::NOT_SUPPORTED,
            },
        };
        self.vcpu.set_result(0, result);
        None
    }
}
