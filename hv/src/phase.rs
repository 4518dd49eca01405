//! The parts of a workload, as the guest names them: exits and time for each.

use probe::Probe;

/// How many phases are kept; later ones are not told apart from the last.
const PHASES: usize = 48;

/// A part of a workload that is over, or open.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Its name, padded with zeros.
    pub name: [u8; hv_abi::call::PHASE_NAME],
    /// How many operations the guest says it made.
    pub operations: u64,
    /// Exits within it, without those of the calls that bound it.
    pub exits: u64,
    /// The time of its measured exits, with that of the call that began it.
    pub time: u64,
}

/// The phases of one guest.
#[derive(Clone, Debug)]
pub struct Phases {
    done: [Phase; PHASES],
    count: usize,
    open: Option<Phase>,
}

impl Phases {
    /// None yet.
    pub const NONE: Self = Self {
        done: [Phase { name: [0; hv_abi::call::PHASE_NAME], operations: 0, exits: 0, time: 0 };
            PHASES],
        count: 0,
        open: None,
    };

    /// A phase begins, and one that is open ends.
    pub fn begin(&mut self, name: [u64; 2], probe: &impl Probe) {
        self.end(0, probe);
        let mut bytes = [0; hv_abi::call::PHASE_NAME];
        for (place, byte) in bytes.iter_mut().zip(name.iter().flat_map(|half| half.to_le_bytes())) {
            *place = printable(byte);
        }
        let (exits, time) = (probe.exits(), probe.time());
        self.open = Some(Phase { name: bytes, operations: 0, exits, time });
    }

    /// The open phase ends, of which there may be none.
    pub fn end(&mut self, operations: u64, probe: &impl Probe) {
        if let Some(open) = self.open.take()
            && let Some(place) = self.done.get_mut(self.count)
        {
            *place = Phase {
                name: open.name,
                operations,
                // The exit at hand ends the phase and is not part of it.
                exits: probe.exits().saturating_sub(open.exits).saturating_sub(1),
                time: probe.time().saturating_sub(open.time),
            };
            self.count += 1;
        }
    }

    /// Those that are over.
    #[must_use]
    pub fn done(&self) -> &[Phase] {
        self.done.get(..self.count).unwrap_or_default()
    }

    /// The name of the one that is open, or of the last.
    #[must_use]
    pub fn last(&self) -> Option<&[u8; hv_abi::call::PHASE_NAME]> {
        self.open.as_ref().or_else(|| self.done().last()).map(|phase| &phase.name)
    }
}

/// A byte of a name as a record may hold it: no spaces, nothing that is not ASCII.
const fn printable(byte: u8) -> u8 {
    match byte {
        0 => 0,
        b' ' => b'_',
        0x21..=0x7e => byte,
        _ => b'?',
    }
}
