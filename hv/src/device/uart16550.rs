//! 16550 UART: the guest's console on a PC.
//!
//! National Semiconductor PC16550D, "Registers". Bytes leave at the moment they are written, so the
//! transmitter is always empty. Bytes that arrive wait in the receive FIFO. The interrupt output is
//! connected to nothing: the identification register says what would be signalled, and the guest
//! polls. Baud rate and line format are stored and mean nothing; a modem is there and always ready.
//!
//! Loopback exists because drivers look for it to tell whether there is a UART at all.

use uart_16550::spec::registers::{FCR, FifoTriggerLevel, IER, ISR, LCR, LSR, MCR, MSR};

use super::Console;
use super::fifo::{DEPTH, Fifo};

/// How many ports it has.
pub const PORTS: u16 = 8;

/// Offsets of the registers.
mod register {
    /// Receiver buffer, transmitter holding register, and the lower divisor latch.
    pub(super) const DATA: u16 = 0;
    /// Interrupt enable, and the upper divisor latch.
    pub(super) const IER: u16 = 1;
    /// Interrupt identification when read, FIFO control when written.
    pub(super) const IIR_FCR: u16 = 2;
    /// Line control.
    pub(super) const LCR: u16 = 3;
    /// Modem control.
    pub(super) const MCR: u16 = 4;
    /// Line status.
    pub(super) const LSR: u16 = 5;
    /// Modem status.
    pub(super) const MSR: u16 = 6;
    /// Scratch.
    pub(super) const SCR: u16 = 7;
}

/// The interrupts that a 16550 has.
const INTERRUPTS: IER =
    IER::DATA_READY.union(IER::THR_EMPTY).union(IER::RECEIVER_LINE_STATUS).union(IER::MODEM_STATUS);

/// The bits of MCR that a 16550 has.
const MODEM_CONTROL: MCR =
    MCR::DTR.union(MCR::RTS).union(MCR::OUT_1).union(MCR::OUT_2_INT_ENABLE).union(MCR::LOOP_BACK);

/// The lines of a modem that is there, connected and ready.
const READY: MSR = MSR::CTS.union(MSR::DSR).union(MSR::CD);

/// `IIR` of a receiver line status interrupt.
const LINE_STATUS: ISR = ISR::IIC_0.union(ISR::IIC_1);
/// `IIR` of received data.
const DATA_AVAILABLE: ISR = ISR::IIC_1;
/// `IIR` of received data that does not reach the trigger level, and that nothing follows.
const TIMEOUT: ISR = ISR::IIC_1.union(ISR::IIC_2);
/// `IIR` of an empty transmitter holding register.
const SENT: ISR = ISR::IIC_0;
/// `IIR` when FIFOs are enabled.
const FIFOS: ISR = ISR::FIFOS_ENABLED0.union(ISR::FIFOS_ENABLED1);

/// One UART.
#[derive(Debug)]
pub struct Uart16550 {
    /// Bytes that arrived. The receiver buffer alone when the FIFOs are off.
    received: Fifo,
    /// Whether a byte was lost since the guest last read the line status.
    overrun: bool,
    /// Whether the transmitter became empty, and the guest has not been told.
    sent: bool,
    /// `IER`.
    enabled: IER,
    /// `FCR`.
    fifo: FCR,
    /// `LCR`.
    line: LCR,
    /// `MCR`.
    modem: MCR,
    /// `SCR`.
    scratch: u8,
    /// The divisor latches, the lower first.
    divisor: [u8; 2],
}

impl Uart16550 {
    /// A UART after reset.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            received: Fifo::EMPTY,
            overrun: false,
            sent: true,
            enabled: IER::empty(),
            fifo: FCR::empty(),
            line: LCR::empty(),
            modem: MCR::empty(),
            scratch: 0,
            divisor: [0; 2],
        }
    }

    /// A byte arrives. One too many is lost; without FIFOs it is the one before it ("Line Status
    /// Register", bit 1).
    pub fn receive(&mut self, byte: u8) {
        if self.received.len() < self.depth() {
            self.received.push(byte);
            return;
        }
        self.overrun = true;
        if !self.fifo.contains(FCR::FIFO_ENABLE) {
            self.received = Fifo::EMPTY;
            self.received.push(byte);
        }
    }

    /// The guest reads the register at `offset`.
    pub fn read(&mut self, offset: u16) -> u8 {
        let [low, high] = self.divisor;
        match offset {
            register::DATA if self.latched() => low,
            register::DATA => self.received.pop().unwrap_or_default(),
            register::IER if self.latched() => high,
            register::IER => self.enabled.bits(),
            register::IIR_FCR => self.identify().bits(),
            register::LCR => self.line.bits(),
            register::MCR => self.modem.bits(),
            register::LSR => {
                let status = self.line_status();
                self.overrun = false;
                status.bits()
            }
            register::MSR => self.modem_status().bits(),
            register::SCR => self.scratch,
            _ => u8::MAX,
        }
    }

    /// The guest writes the register at `offset`.
    pub fn write(&mut self, offset: u16, value: u8, console: &mut impl Console) {
        let [low, high] = &mut self.divisor;
        let latched = self.line.contains(LCR::DLAB);
        match offset {
            register::DATA if latched => *low = value,
            register::DATA => self.send(value, console),
            register::IER if latched => *high = value,
            register::IER => {
                let enabled = IER::from_bits_retain(value) & INTERRUPTS;
                self.sent |= (enabled & !self.enabled).contains(IER::THR_EMPTY);
                self.enabled = enabled;
            }
            register::IIR_FCR => self.control_fifo(FCR::from_bits_retain(value)),
            register::LCR => self.line = LCR::from_bits_retain(value),
            register::MCR => self.modem = MCR::from_bits_retain(value) & MODEM_CONTROL,
            register::SCR => self.scratch = value,
            _ => {}
        }
    }

    /// Whether the divisor latches stand where data and interrupt enable do.
    const fn latched(&self) -> bool {
        self.line.contains(LCR::DLAB)
    }

    /// How many bytes can wait.
    const fn depth(&self) -> u8 {
        if self.fifo.contains(FCR::FIFO_ENABLE) { DEPTH } else { 1 }
    }

    /// Sends a byte, to itself in loopback.
    fn send(&mut self, byte: u8, console: &mut impl Console) {
        if self.modem.contains(MCR::LOOP_BACK) {
            self.receive(byte);
        } else {
            console.put(byte);
        }
        self.sent = true;
    }

    /// Sets `FCR`. Switching the FIFOs on or off empties them; its other bits hold only when they are
    /// on ("FIFO Control Register").
    fn control_fifo(&mut self, value: FCR) {
        let switched = (self.fifo ^ value).contains(FCR::FIFO_ENABLE);
        if switched || value.contains(FCR::FIFO_ENABLE | FCR::RX_FIFO_RESET) {
            self.received = Fifo::EMPTY;
        }
        self.fifo = if value.contains(FCR::FIFO_ENABLE) { value } else { FCR::empty() };
    }

    /// `LSR`.
    fn line_status(&self) -> LSR {
        let mut status = LSR::THR_EMPTY | LSR::TRANSMITTER_EMPTY;
        status.set(LSR::DATA_READY, !self.received.is_empty());
        status.set(LSR::OVERRUN_ERROR, self.overrun);
        status
    }

    /// `MSR`: the modem's lines, or in loopback our own ("Modem Control Register", bit 4). That a
    /// line changed is not told.
    fn modem_status(&self) -> MSR {
        if !self.modem.contains(MCR::LOOP_BACK) {
            return READY;
        }
        let mut status = MSR::empty();
        status.set(MSR::CTS, self.modem.contains(MCR::RTS));
        status.set(MSR::DSR, self.modem.contains(MCR::DTR));
        status.set(MSR::RI, self.modem.contains(MCR::OUT_1));
        status.set(MSR::CD, self.modem.contains(MCR::OUT_2_INT_ENABLE));
        status
    }

    /// Reads `IIR`: the most urgent interrupt that is enabled. Telling that the transmitter is empty
    /// clears that interrupt.
    fn identify(&mut self) -> ISR {
        let source = if self.overrun && self.enabled.contains(IER::RECEIVER_LINE_STATUS) {
            LINE_STATUS
        } else if !self.received.is_empty() && self.enabled.contains(IER::DATA_READY) {
            if self.received.len() >= self.trigger() { DATA_AVAILABLE } else { TIMEOUT }
        } else if self.sent && self.enabled.contains(IER::THR_EMPTY) {
            self.sent = false;
            SENT
        } else {
            ISR::INTERRUPT_STATUS
        };
        if self.fifo.contains(FCR::FIFO_ENABLE) { source | FIFOS } else { source }
    }

    /// With how many bytes the receiver interrupts at once.
    const fn trigger(&self) -> u8 {
        match self.fifo.fifo_trigger_level() {
            FifoTriggerLevel::One => 1,
            FifoTriggerLevel::Four => 4,
            FifoTriggerLevel::Eight => 8,
            FifoTriggerLevel::Fourteen => 14,
        }
    }
}

impl Default for Uart16550 {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
