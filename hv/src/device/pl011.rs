//! PL011 UART: the guest's console.
//!
//! Arm DDI 0183, "Programmers Model". Bytes leave at the moment they are written, so the transmit
//! FIFO is always empty and its interrupt is raised after each byte. Bytes that arrive wait in a
//! receive FIFO of [`DEPTH`]. Baud rate and line control are stored and mean nothing; modem
//! lines, DMA, loopback and error injection do not exist.
//!
//! As under QEMU, the UART works without having been enabled: kernels' first messages count on it.

use super::fifo::{DEPTH, Fifo};
use super::{Console, Width};

/// Offsets of the registers: Arm DDI 0183, "Summary of registers".
mod register {
    /// Data.
    pub(super) const DR: u64 = 0x000;
    /// Receive status; a write clears the errors.
    pub(super) const RSR: u64 = 0x004;
    /// Flags.
    pub(super) const FR: u64 = 0x018;
    /// Integer part of the baud rate divisor.
    pub(super) const IBRD: u64 = 0x024;
    /// Fractional part of the baud rate divisor.
    pub(super) const FBRD: u64 = 0x028;
    /// Line control.
    pub(super) const LCR_H: u64 = 0x02c;
    /// Control.
    pub(super) const CR: u64 = 0x030;
    /// Interrupt FIFO level select.
    pub(super) const IFLS: u64 = 0x034;
    /// Interrupt mask; a set bit lets the interrupt through.
    pub(super) const IMSC: u64 = 0x038;
    /// Raw interrupt status.
    pub(super) const RIS: u64 = 0x03c;
    /// Masked interrupt status.
    pub(super) const MIS: u64 = 0x040;
    /// Interrupt clear.
    pub(super) const ICR: u64 = 0x044;
    /// The first of the eight identification registers.
    pub(super) const ID: u64 = 0xfe0;
}

/// `UARTFR.RXFE`: the receive FIFO is empty.
const FR_RXFE: u64 = 1 << 4;
/// `UARTFR.RXFF`: the receive FIFO is full.
const FR_RXFF: u64 = 1 << 6;
/// `UARTFR.TXFE`: the transmit FIFO is empty.
const FR_TXFE: u64 = 1 << 7;
/// `UARTLCR_H.FEN`: the FIFOs are used.
const LCR_H_FEN: u16 = 1 << 4;
/// `UARTRSR.OE`: a byte arrived and found no room.
const RSR_OE: u64 = 1 << 3;
/// `UARTRIS.RXRIS`: bytes wait.
const INT_RX: u16 = 1 << 4;
/// `UARTRIS.TXRIS`: there is room for bytes to send.
const INT_TX: u16 = 1 << 5;
/// `UARTRIS.OERIS`: a byte was lost.
const INT_OE: u16 = 1 << 10;
/// The interrupts that exist: the modem lines' too, though nothing here raises them.
const INT_ALL: u16 = 0x7ff;
/// `UARTCR` after reset: RXE and TXE.
const CR_RESET: u16 = 0x300;
/// `UARTIFLS` after reset: both FIFOs half full.
const IFLS_RESET: u16 = 0x12;
/// `UARTPeriphID0`..`3` and `UARTPCellID0`..`3`, one byte each: part 0x011, designer 0x41, r1p4.
const IDENTIFICATION: [u8; 8] = [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/// One UART.
#[derive(Debug)]
pub struct Pl011 {
    /// Bytes that arrived.
    received: Fifo,
    /// Whether a byte was lost since the guest last cleared the error.
    overrun: bool,
    /// `UARTRIS`.
    raised: u16,
    /// `UARTIMSC`.
    mask: u16,
    /// `UARTCR`.
    control: u16,
    /// `UARTLCR_H`.
    line_control: u16,
    /// `UARTIFLS`.
    levels: u16,
    /// `UARTIBRD`.
    divisor: u16,
    /// `UARTFBRD`.
    fraction: u16,
}

impl Pl011 {
    /// A UART after reset.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            received: Fifo::EMPTY,
            overrun: false,
            raised: 0,
            mask: 0,
            control: CR_RESET,
            line_control: 0,
            levels: IFLS_RESET,
            divisor: 0,
            fraction: 0,
        }
    }

    /// The level of the combined interrupt output, `UARTINTR`.
    #[must_use]
    #[inline]
    pub const fn interrupt(&self) -> bool {
        self.raised & self.mask != 0
    }

    /// A byte arrives. Whether there was room for it.
    pub fn receive(&mut self, byte: u8) -> bool {
        if self.received.len() >= self.depth() {
            self.overrun = true;
            self.raised |= INT_OE;
            return false;
        }
        self.received.push(byte);
        self.raised |= INT_RX;
        true
    }

    /// The guest reads.
    pub fn read(&mut self, offset: u64, width: Width) -> u64 {
        if !is_register(offset, width) {
            return 0;
        }
        let value = match offset {
            register::DR => self.take(),
            register::RSR if self.overrun => RSR_OE,
            register::FR => self.flags(),
            register::IBRD => self.divisor.into(),
            register::FBRD => self.fraction.into(),
            register::LCR_H => self.line_control.into(),
            register::CR => self.control.into(),
            register::IFLS => self.levels.into(),
            register::IMSC => self.mask.into(),
            register::RIS => self.raised.into(),
            register::MIS => (self.raised & self.mask).into(),
            register::ID.. => identification(offset),
            _ => 0,
        };
        value & width.mask()
    }

    /// The guest writes.
    pub fn write(&mut self, offset: u64, width: Width, value: u64, console: &mut impl Console) {
        if !is_register(offset, width) {
            return;
        }
        let [low, high, ..] = (value & width.mask()).to_le_bytes();
        let value = u16::from_le_bytes([low, high]);
        match offset {
            register::DR => {
                console.put(low);
                self.raised |= INT_TX;
            }
            register::RSR => self.overrun = false,
            register::IBRD => self.divisor = value,
            register::FBRD => self.fraction = value & 0x3f,
            register::LCR_H => self.set_line_control(value & 0xff),
            register::CR => self.control = value,
            register::IFLS => self.levels = value & 0x3f,
            register::IMSC => self.mask = value & INT_ALL,
            register::ICR => self.raised &= !value,
            _ => {}
        }
    }

    /// How many bytes can wait: without `UARTLCR_H.FEN` the FIFO holds one.
    const fn depth(&self) -> u8 {
        if self.line_control & LCR_H_FEN != 0 { DEPTH } else { 1 }
    }

    /// Takes the oldest waiting byte; 0 if none waits.
    fn take(&mut self) -> u64 {
        let byte = self.received.pop().unwrap_or_default();
        if self.received.is_empty() {
            self.raised &= !INT_RX;
        }
        byte.into()
    }

    /// `UARTFR`.
    const fn flags(&self) -> u64 {
        let mut flags = FR_TXFE;
        if self.received.is_empty() {
            flags |= FR_RXFE;
        }
        if self.received.len() >= self.depth() {
            flags |= FR_RXFF;
        }
        flags
    }

    /// Sets `UARTLCR_H`. Switching the FIFOs on or off empties them ("FIFO enable").
    fn set_line_control(&mut self, value: u16) {
        if (self.line_control ^ value) & LCR_H_FEN != 0 {
            self.received = Fifo::EMPTY;
            self.raised &= !INT_RX;
        }
        self.line_control = value;
    }
}

impl Default for Pl011 {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether an access can reach a register at all: they are 32 bits wide and take narrower accesses
/// to their lowest bytes.
const fn is_register(offset: u64, width: Width) -> bool {
    Width::Word.is_aligned(offset) && !matches!(width, Width::Double)
}

/// The identification register at `offset`.
fn identification(offset: u64) -> u64 {
    let index = offset.wrapping_sub(register::ID).wrapping_shr(2);
    usize::try_from(index)
        .ok()
        .and_then(|index| IDENTIFICATION.get(index))
        .copied()
        .unwrap_or(0)
        .into()
}
