//! The kinds of store, and how many entries each changes.

#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
mod arch;

pub(crate) use arch::{KINDS, PLAIN, features, others};

/// Changes entries: the first one, what they hold, what they shall hold.
type Change = unsafe extern "C" fn(*mut u64, *const u64, *const u64);

/// A kind of store.
pub(crate) struct Kind {
    /// Its name in result lines.
    pub(crate) name: &'static str,
    /// How many entries it changes.
    pub(crate) entries: usize,
    /// Whether it can only make them zero.
    pub(crate) only_clears: bool,
    /// What the processor must have, of [`features`].
    pub(crate) needs: u32,
    /// What makes it.
    pub(crate) change: Change,
}

/// Marks a kind that can only make entries zero.
const CLEARS: bool = true;

/// Declares the assembly's functions and lists them. A line is a kind's name, its function, how many
/// entries it changes, whether it only clears them, and what the processor must have.
macro_rules! kinds {
    ($($name:literal $symbol:ident $entries:literal $(, $clears:ident)? $(=> $needs:ident)? ;)*) => {
        unsafe extern "C" {
            $(fn $symbol(slot: *mut u64, old: *const u64, new: *const u64);)*
        }

        /// Every kind.
        pub(crate) static KINDS: &[Kind] = &[$(Kind {
            name: $name,
            entries: $entries,
            only_clears: false $(|| $clears)?,
            needs: 0 $(| $needs)?,
            change: $symbol,
        }),*];
    };
}
use kinds;
