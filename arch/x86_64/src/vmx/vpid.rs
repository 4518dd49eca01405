//! Forgetting a guest's translations: INVVPID and INVEPT.
//!
//! Intel SDM vol. 3, "Caching Translation Information" (29.4).

use core::arch::asm;

use paging::addr::Gva;
use paging::mem::Tag;

use super::capability::Translation;

/// The VPID of the guest whose translations have `tag`. 0 is the hypervisor's own.
#[inline]
pub(super) fn of(tag: Tag) -> u64 {
    u64::from(tag.0) + 1
}

/// What INVVPID and INVEPT forget, by the numbers of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Scope {
    Address = 0,
    Single = 1,
    All = 2,
}

/// Which ways to forget this processor has.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    /// The narrowest for one address; `None` where there are no VPIDs.
    address: Option<Scope>,
    /// The narrowest for one VPID.
    context: Option<Scope>,
    /// The narrowest for the nested tables that the pointer names; `None` where there are none.
    nested: Option<(Scope, u64)>,
}

impl Kinds {
    /// Those for a guest with VPIDs if `vpid`, with the nested tables that `pointer` names. `None`: the
    /// processor cannot forget what it would keep.
    pub(super) fn new(offered: Translation, vpid: bool, pointer: Option<u64>) -> Option<Self> {
        let first = |kinds: &[(Translation, Scope)]| {
            kinds.iter().find(|(kind, _)| offered.contains(*kind)).map(|(_, scope)| *scope)
        };
        let context = first(&[
            (Translation::INVVPID.union(Translation::INVVPID_SINGLE), Scope::Single),
            (Translation::INVVPID.union(Translation::INVVPID_ALL), Scope::All),
        ]);
        let address =
            first(&[(Translation::INVVPID.union(Translation::INVVPID_ADDRESS), Scope::Address)]);
        let nested = first(&[
            (Translation::INVEPT.union(Translation::INVEPT_SINGLE), Scope::Single),
            (Translation::INVEPT.union(Translation::INVEPT_ALL), Scope::All),
        ]);
        if vpid && context.is_none() || pointer.is_some() && nested.is_none() {
            return None;
        }
        Some(Self {
            address: address.or(context).filter(|_| vpid),
            context: context.filter(|_| vpid),
            nested: nested.zip(pointer),
        })
    }

    /// Forgets all translations with `tag`.
    #[inline]
    pub fn forget(self, tag: Tag) {
        if let Some(scope) = self.context {
            invvpid(scope, of(tag), 0);
        }
    }

    /// Forgets the translations of one page with `tag`, global ones too, and the way to it.
    #[inline]
    pub fn forget_address(self, tag: Tag, at: Gva) {
        if let Some(scope) = self.address {
            invvpid(scope, of(tag), at.bits());
        }
    }

    /// Forgets all that comes from the nested tables.
    #[inline]
    pub fn forget_nested(self) {
        if let Some((scope, pointer)) = self.nested {
            invept(scope, pointer);
        }
    }
}

#[inline]
fn invvpid(scope: Scope, vpid: u64, address: u64) {
    let descriptor = [vpid, address];
    // SAFETY: forgetting translations changes no meaning, and a CPU with this kind of INVVPID reads only
    // the descriptor. It refuses an address that is not canonical, of which it knows nothing.
    unsafe {
        asm!("invvpid {}, [{}]", in(reg) scope as u64, in(reg) &raw const descriptor,
            options(nostack));
    }
}

#[inline]
fn invept(scope: Scope, pointer: u64) {
    let descriptor = [pointer, 0];
    // SAFETY: as in `invvpid`.
    unsafe {
        asm!("invept {}, [{}]", in(reg) scope as u64, in(reg) &raw const descriptor,
            options(nostack));
    }
}
