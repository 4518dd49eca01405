//! The serial line: a PL011 that firmware or the emulator has set up.

use core::fmt;
use core::ptr::NonNull;

use arm_pl011_uart::{Interrupts, PL011Registers, Uart, UniqueMmioPointer};

/// The machine's serial line.
pub struct Serial {
    uart: Uart<'static>,
}

impl Serial {
    /// The PL011 at `registers`, as it was left by whoever started the machine.
    ///
    /// # Safety
    ///
    /// There is a PL011 (4 KiB of registers), accessible as device memory for as long as the
    /// hypervisor runs, and nothing else uses it.
    #[must_use]
    pub unsafe fn new(registers: NonNull<u8>) -> Self {
        // SAFETY: by the caller.
        let registers = unsafe { UniqueMmioPointer::new(registers.cast::<PL011Registers>()) };
        Self { uart: Uart::new(registers) }
    }

    /// Prints one byte, once there is room for it.
    pub fn put(&mut self, byte: u8) {
        while self.uart.is_tx_fifo_full() {
            core::hint::spin_loop();
        }
        self.uart.write_word(byte);
    }

    /// A byte that came in, if one did.
    pub fn take(&mut self) -> Option<u8> {
        self.uart.read_word().ok().flatten()
    }

    /// Has an interrupt raised when a byte comes in.
    pub fn notify_receive(&mut self) {
        self.uart.set_interrupt_masks(Interrupts::RXI | Interrupts::RTI);
    }

    /// Waits until everything printed has left.
    pub fn drain(&mut self) {
        while self.uart.is_busy() {
            core::hint::spin_loop();
        }
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.put(byte));
        Ok(())
    }
}
