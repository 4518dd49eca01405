//! Running a machine under an emulator: start, stream, stop.
//!
//! The emulator runs in a process group of its own, so that Ctrl-C reaches this tool alone, which
//! first asks the hypervisor for its report and only then ends the emulator. However this tool ends,
//! the emulator ends with it.

mod bochs;
mod child;
mod interrupt;
mod monitor;
mod qemu;
mod stream;

use std::io::{Write as _, stdout};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use self::child::Child;
pub(crate) use self::interrupt::{Running, STATUS as INTERRUPTED, seen as interrupted};
pub(crate) use self::qemu::machine;
use self::stream::Splitter;
use crate::computer::{Computer, Program};
use crate::mmu::Modelling;
use crate::progress::Step;
use crate::setup::emulator::Emulator;

/// How long the hypervisor has to answer when it is asked to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// When it is asked again: it may not have been listening yet.
const AGAIN: Duration = Duration::from_secs(1);
/// How long firmware and a boot loader may take, at most, before a guest's time begins. They are
/// silent, so that it begins with the first byte over the serial line, if that comes earlier.
const FIRMWARE: Duration = Duration::from_secs(30);
/// How often the clock and Ctrl-C are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long the console is silent before a spinner says that something still runs.
const SILENCE: Duration = Duration::from_secs(1);

/// What an emulator is given to boot.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Medium<'a> {
    /// A kernel, loaded without firmware where the emulator can do that.
    Kernel(&'a Path),
    /// A disc.
    Disc(&'a Path),
    /// A disc, and the UEFI firmware that reads it.
    Uefi(&'a Path, &'a Path),
}

/// What to boot, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boot<'a> {
    /// On what.
    pub(crate) computer: Computer,
    /// What emulates it.
    pub(crate) emulator: &'a Emulator,
    /// What it loads.
    pub(crate) medium: Medium<'a>,
    /// Whether a hypervisor runs: the machine has what it takes, and records are looked for.
    pub(crate) hypervisor: bool,
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// What a native guest is told.
    pub(crate) arguments: Option<&'a str>,
    /// A native guest's initial RAM disk.
    pub(crate) initrd: Option<&'a Path>,
    /// Whether a debugger is waited for, and what to tell the person.
    pub(crate) debug: Option<&'a Path>,
    /// When the guest is stopped.
    pub(crate) timeout: Option<Duration>,
    /// Whether the console goes to the standard output as it comes.
    pub(crate) echo: bool,
    /// The model of the run; under QEMU alone.
    pub(crate) model: Option<&'a Modelling<'a>>,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The machine was switched off from within.
    Off,
    /// Its time was up.
    Timeout,
    /// Ctrl-C.
    Interrupted,
}

/// What a run left.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// Why it ended.
    pub(crate) end: End,
    /// All that the guest wrote.
    pub(crate) console: String,
    /// All records, without their marks.
    pub(crate) records: Vec<String>,
    /// The registers of a machine that had to be ended without an answer.
    pub(crate) registers: Option<String>,
    /// The emulator's status: on a PC under QEMU, what the guest gave it.
    pub(crate) status: Option<u8>,
}

impl Ran {
    /// Where the console stood, in words.
    pub(crate) fn last_words(&self) -> String {
        let last = self.console.lines().rfind(|line| !line.trim().is_empty());
        last.map_or_else(
            || "the console is empty".to_owned(),
            |line| format!("last on the console: {line}"),
        )
    }
}

impl Boot<'_> {
    /// How long firmware may take.
    fn firmware(&self) -> Duration {
        match (self.computer.program(), self.medium) {
            (Program::Qemu(_), Medium::Kernel(_)) => Duration::ZERO,
            _ => FIRMWARE,
        }
    }
}

/// What differs between emulators that run.
trait Emulation {
    /// The process.
    fn child(&mut self) -> &mut Child;
    /// Stops the machine for good and tells the processor's integer registers.
    fn registers(&mut self) -> Option<String>;
    /// Why it is the emulator that failed, if it is: judged by its status, by its messages, and by
    /// whether the serial line was silent.
    fn failure(&self, status: ExitStatus, messages: &str, silent: bool) -> Option<String>;
}

fn start(boot: &Boot<'_>) -> Result<Box<dyn Emulation>> {
    Ok(match boot.computer.program() {
        Program::Qemu(_) => Box::new(qemu::Qemu::start(boot)?),
        Program::Bochs => Box::new(bochs::Bochs::start(boot)?),
    })
}

/// Boots a machine and stays until it ends.
pub(crate) fn boot(boot: &Boot<'_>) -> Result<Ran> {
    let _running = Running::begin()?;
    let mut emulation = start(boot)?;
    let mut splitter = Splitter::new(boot.hypervisor);
    let mut stop = Stop::new(boot.timeout, boot.firmware());
    let mut registers = None;
    let mut spinner = Spinner::new(boot.echo);
    loop {
        match emulation.child().output.recv_timeout(TICK) {
            Ok(bytes) => {
                stop.begin();
                let console = splitter.feed(&bytes);
                if boot.echo && !console.is_empty() {
                    spinner.hide();
                    show(&console);
                }
            }
            Err(RecvTimeoutError::Timeout) if emulation.child().stillborn() => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        spinner.turn(splitter.at_line_start());
        match stop.due(interrupt::seen()) {
            Due::Nothing => {}
            Due::Ask if boot.hypervisor && emulation.child().send(hv_abi::record::STOP) => {}
            Due::Ask | Due::End => {
                registers = emulation.registers();
                emulation.child().kill();
                break;
            }
        }
    }
    drop(spinner);
    let (status, messages) = emulation.child().finish()?;
    if let Some(tail) = splitter.rest()
        && boot.echo
    {
        show(&tail);
    }
    let silent = splitter.console.is_empty() && splitter.records.is_empty();
    if stop.end == End::Off
        && let Some(failure) = emulation.failure(status, &messages, silent)
    {
        bail!("{failure}");
    }
    let console = String::from_utf8_lossy(&splitter.console).into_owned();
    let status = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Ran { end: stop.end, console, records: splitter.records, registers, status })
}

fn show(console: &[u8]) {
    let mut out = stdout().lock();
    // Nobody reads any more: the run is still measured and its status still counts.
    let _ = out.write_all(console).and_then(|()| out.flush());
}

/// What is to be done now to end the run.
enum Due {
    Nothing,
    Ask,
    End,
}

/// When and why a run is ended from outside.
struct Stop {
    end: End,
    timeout: Option<Duration>,
    asks_at: Option<Instant>,
    asks_again_at: Instant,
    ends_at: Option<Instant>,
}

impl Stop {
    /// The guest's time begins after `firmware`, or when [`Self::begin`] says so.
    fn new(timeout: Option<Duration>, firmware: Duration) -> Self {
        Self {
            end: End::Off,
            timeout: timeout.filter(|_| !firmware.is_zero()),
            asks_at: timeout.map(|timeout| Instant::now() + firmware + timeout),
            asks_again_at: Instant::now(),
            ends_at: None,
        }
    }

    /// The guest's time begins now, unless it has.
    fn begin(&mut self) {
        if let Some(timeout) = self.timeout.take() {
            let asks_at = Instant::now() + timeout;
            self.asks_at = self.asks_at.map(|latest| latest.min(asks_at));
        }
    }

    fn due(&mut self, interrupted: bool) -> Due {
        let now = Instant::now();
        if let Some(ends_at) = self.ends_at {
            return match now {
                _ if now >= ends_at => Due::End,
                _ if now >= self.asks_again_at => self.ask(now),
                _ => Due::Nothing,
            };
        }
        self.end = match (interrupted, self.asks_at) {
            (true, _) => End::Interrupted,
            (false, Some(asks_at)) if now >= asks_at => End::Timeout,
            _ => return Due::Nothing,
        };
        self.ends_at = Some(now + PATIENCE);
        self.ask(now)
    }

    fn ask(&mut self, now: Instant) -> Due {
        self.asks_again_at = now + AGAIN;
        Due::Ask
    }
}

/// A spinner that is there while the console is silent.
struct Spinner {
    wanted: bool,
    silent_since: Instant,
    step: Option<Step>,
}

impl Spinner {
    fn new(wanted: bool) -> Self {
        let wanted = wanted && std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self { wanted, silent_since: Instant::now(), step: None }
    }

    fn hide(&mut self) {
        self.step = None;
        self.silent_since = Instant::now();
    }

    fn turn(&mut self, at_line_start: bool) {
        if self.wanted
            && self.step.is_none()
            && at_line_start
            && self.silent_since.elapsed() > SILENCE
        {
            self.step = Some(Step::begin("the guest runs; Ctrl-C stops it and prints the report"));
        }
    }
}
