//! Records: the lines of the serial console that a program reads.
//!
//! The hypervisor and its guest share one serial line. A line that begins with [`MARK`] is a
//! record; the hypervisor replaces that byte in whatever the guest prints, so a guest cannot forge
//! one. After the mark come a kind and `key=value` pairs, parted by single spaces, ended by a
//! newline:
//!
//! ```text
//! <MARK>umbra fn name=sh_page_fault count=12 samples=12 incl=9000 excl=4000 mean=750.0 …
//! ```
//!
//! Values hold no spaces. Kinds and keys are listed in the README, "The records". A reader skips
//! kinds and keys that it does not know, and refuses a `begin` whose `version` it does not know.

/// The first byte of a record: ASCII record separator, which no text uses.
pub const MARK: u8 = 0x1e;

/// The word after the mark.
pub const WORD: &str = "umbra";

/// The version in the `begin` record. It rises when a kind or key changes its meaning.
pub const VERSION: u32 = 1;

/// The byte that asks the hypervisor, over the serial line, to stop the guest and print its
/// report: ASCII end-of-transmission. The build tool sends it at a timeout and at Ctrl-C.
pub const STOP: u8 = 0x04;

/// What a guest's own result lines begin with. They are console text, the same natively and under
/// the hypervisor: `@ name key=value …`.
pub const RESULT: &str = "@ ";
