//! Exit statuses.

/// The guest did what it was for.
pub const SUCCESS: u8 = 0;
/// A check of the guest's own failed.
pub const FAILED: u8 = 1;
/// The machine lacks what the guest needs.
pub const UNSUITABLE: u8 = 2;
/// The guest panicked.
pub const PANIC: u8 = 101;
/// An exception that nobody handles.
pub const EXCEPTION: u8 = 102;
