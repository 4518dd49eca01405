//! The two 8259s, through which the serial line's interrupt comes.
//!
//! Everything is masked but what is asked for, and what comes has vectors apart from the processor's
//! exceptions. The local APIC lets it through at LINT0.

use x86_64::instructions::port::Port;

/// The vector of line 0.
pub const FIRST_VECTOR: u8 = 0x20;
/// How many lines there are.
pub const LINES: u8 = 16;
/// Lines of one controller.
const HALF: u8 = 8;
/// The line of the first controller at which the second hangs.
const CASCADE: u8 = 2;

/// ICW1: a cascade, edge-triggered, with an ICW4 to come.
const INITIALIZE: u8 = 0x11;
/// ICW4: not an 8080's.
const MODE_8086: u8 = 0x01;
/// OCW2: the interrupt that is in service with the highest priority has ended.
const END: u8 = 0x20;
/// OCW3: a read of the command port gives what is in service.
const READ_IN_SERVICE: u8 = 0x0b;
/// The line on which a controller reports an interrupt that went away.
const SPURIOUS: u8 = 7;

/// One 8259.
#[derive(Debug)]
struct Controller {
    command: Port<u8>,
    data: Port<u8>,
}

impl Controller {
    const fn at(base: u16) -> Self {
        Self { command: Port::new(base), data: Port::new(base + 1) }
    }

    fn command(&mut self, value: u8) {
        // SAFETY: by `Pic::new`'s caller, this instance alone drives the controller.
        unsafe { self.command.write(value) };
    }

    fn data(&mut self, value: u8) {
        // SAFETY: the same.
        unsafe { self.data.write(value) };
    }

    /// Everything masked, line 0 at `vector`.
    fn initialize(&mut self, vector: u8, cascade: u8) {
        self.command(INITIALIZE);
        self.data(vector);
        self.data(cascade);
        self.data(MODE_8086);
        self.data(u8::MAX);
    }

    fn in_service(&mut self) -> u8 {
        self.command(READ_IN_SERVICE);
        // SAFETY: as above.
        unsafe { self.command.read() }
    }
}

/// Both controllers.
#[derive(Debug)]
pub struct Pic {
    first: Controller,
    second: Controller,
    /// A bit for each line that may interrupt.
    enabled: u16,
}

impl Pic {
    /// Initializes both, with everything masked.
    ///
    /// # Safety
    ///
    /// Nothing else drives them from here on.
    #[must_use]
    pub unsafe fn new() -> Self {
        let mut pic =
            Self { first: Controller::at(0x20), second: Controller::at(0xa0), enabled: 0 };
        pic.first.initialize(FIRST_VECTOR, 1 << CASCADE);
        pic.second.initialize(FIRST_VECTOR + HALF, CASCADE);
        pic
    }

    /// Lets `line`, below [`LINES`], interrupt.
    pub fn enable(&mut self, line: u8) {
        self.enabled |= 1 << (line % LINES);
        if line >= HALF {
            self.enabled |= 1 << CASCADE;
        }
        let [first, second] = (!self.enabled).to_le_bytes();
        self.first.data(first);
        self.second.data(second);
    }

    /// The line behind `vector`, if it is one of these controllers'.
    #[must_use]
    pub fn line(vector: u8) -> Option<u8> {
        vector.checked_sub(FIRST_VECTOR).filter(|&line| line < LINES)
    }

    /// Ends the interrupt of `line`. One that went away before it was taken was never in service, and
    /// must not be ended.
    pub fn end(&mut self, line: u8) {
        let missing = |controller: &mut Controller| {
            line % HALF == SPURIOUS && controller.in_service() & 1 << SPURIOUS == 0
        };
        if line < HALF {
            if !missing(&mut self.first) {
                self.first.command(END);
            }
            return;
        }
        if !missing(&mut self.second) {
            self.second.command(END);
        }
        self.first.command(END);
    }
}
