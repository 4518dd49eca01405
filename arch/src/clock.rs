//! What a tick of the instruments' clock is.

/// What a tick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A cycle: of the processor, or of the counter's own clock.
    Cycles,
    /// An executed instruction.
    Instructions,
}

impl Unit {
    /// The name that the report prints.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Instructions => "instructions",
        }
    }
}
