//! The serial line: COM1, a 16550.

use core::fmt;

use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::{FifoTriggerLevel, IER, LSR};
use uart_16550::{BaudRate, Config, Uart16550};

/// COM1's ports.
const COM1: u16 = 0x3f8;

/// COM1's line at the 8259.
pub const INTERRUPT_LINE: u8 = 4;

/// The machine's serial line.
#[derive(Debug)]
pub struct Serial {
    /// None where there is no such device: then it is silent.
    uart: Option<Uart16550<PioBackend>>,
}

impl Serial {
    /// COM1 at 115200 baud, 8 bits, no parity; silent where there is none.
    ///
    /// # Safety
    ///
    /// Nothing else uses COM1 from here on.
    #[must_use]
    pub unsafe fn new() -> Self {
        // SAFETY: these are COM1's ports on every PC, and by the caller nobody else's.
        let uart = unsafe { Uart16550::new_port(COM1) };
        let config = Config {
            baud_rate: BaudRate::Baud115200,
            fifo_trigger_level: Some(FifoTriggerLevel::One),
            ..Config::DEFAULT
        };
        Self { uart: uart.ok().and_then(|mut uart| uart.init(config).ok().map(|()| uart)) }
    }

    /// Prints one byte, once there is room for it.
    pub fn put(&mut self, byte: u8) {
        let Some(uart) = &mut self.uart else { return };
        while uart.try_send_byte(byte).is_err() {
            core::hint::spin_loop();
        }
    }

    /// A byte that came in, if one did.
    pub fn take(&mut self) -> Option<u8> {
        self.uart.as_mut()?.try_receive_byte().ok()
    }

    /// Has an interrupt raised when a byte comes in.
    pub fn notify_receive(&mut self) {
        if let Some(uart) = &mut self.uart {
            uart.enable_interrupts(IER::DATA_READY);
        }
    }

    /// Waits until everything printed has left.
    pub fn drain(&mut self) {
        let Some(uart) = &mut self.uart else { return };
        while !uart.lsr().contains(LSR::TRANSMITTER_EMPTY) {
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
