//! Running a machine under QEMU: start, stream, stop.
//!
//! The emulator runs in a process group of its own, so that Ctrl-C reaches this tool alone, which
//! first asks the hypervisor for its report and only then ends the emulator. However this tool ends,
//! the emulator ends with it.

mod child;
mod interrupt;
mod monitor;
mod stream;

use std::io::{Write as _, stdout};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use self::child::Child;
use self::interrupt::Running;
pub(crate) use self::interrupt::{STATUS as INTERRUPTED, seen as interrupted};
use self::stream::Splitter;
use crate::progress::Step;
use crate::setup::emulator::Emulator;

/// How long the hypervisor has to answer when it is asked to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the clock and Ctrl-C are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long the console is silent before a spinner says that something still runs.
const SILENCE: Duration = Duration::from_secs(1);

/// What to boot, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boot<'a> {
    /// The emulator.
    pub(crate) emulator: &'a Emulator,
    /// What it loads.
    pub(crate) kernel: &'a Path,
    /// Whether a hypervisor runs: the machine has EL2, and records are looked for.
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
}

/// The machine of every run, as arguments: the command line on which the instruction clock is exact
/// and two runs are identical.
pub(crate) fn machine(command: &mut Command, virtualization: bool, mebibytes: u64) {
    let el2 = if virtualization { "on" } else { "off" };
    command
        .args([
            "-M",
            &format!("virt,virtualization={el2},secure=off,gic-version=3,dtb-randomness=off"),
        ])
        .args(["-cpu", "max", "-smp", "1", "-m", &mebibytes.to_string()])
        .args(["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-seed", "1"])
        .args(["-nodefaults", "-display", "none"]);
}

/// Boots a machine and stays until it ends.
pub(crate) fn boot(boot: &Boot<'_>) -> Result<Ran> {
    let _running = Running::begin()?;
    let socket = monitor::Socket::new();
    let mut child = Child::spawn(command(boot, &socket)?)?;
    let mut splitter = Splitter::new(boot.hypervisor);
    let mut stop = Stop::new(boot.timeout);
    let mut registers = None;
    let mut spinner = Spinner::new(boot.echo);
    loop {
        match child.output.recv_timeout(TICK) {
            Ok(bytes) => {
                let console = splitter.feed(&bytes);
                if boot.echo && !console.is_empty() {
                    spinner.hide();
                    show(&console);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        spinner.turn(splitter.at_line_start());
        match stop.due(interrupt::seen()) {
            Due::Nothing => {}
            Due::Ask if boot.hypervisor && child.send(hv_abi::record::STOP) => {}
            Due::Ask | Due::End => {
                registers = monitor::registers(&socket);
                child.kill();
                break;
            }
        }
    }
    drop(spinner);
    let (status, messages) = child.finish();
    if let Some(tail) = splitter.rest()
        && boot.echo
    {
        show(&tail);
    }
    if stop.end == End::Off && !status.is_some_and(|status| status.success()) {
        bail!("QEMU failed: {}", messages.lines().next().unwrap_or("it says nothing"));
    }
    let console = String::from_utf8_lossy(&splitter.console).into_owned();
    Ok(Ran { end: stop.end, console, records: splitter.records, registers })
}

fn show(console: &[u8]) {
    let mut out = stdout().lock();
    // Nobody reads any more: the run is still measured and its status still counts.
    let _ = out.write_all(console).and_then(|()| out.flush());
}

fn command(boot: &Boot<'_>, socket: &monitor::Socket) -> Result<Command> {
    let mut command = child::dying_with_us(&boot.emulator.program);
    machine(&mut command, boot.hypervisor, boot.memory >> 20);
    command.args(["-monitor", "none", "-serial", "stdio", "-qmp", &socket.argument()]);
    command.arg("-kernel").arg(boot.kernel);
    if let Some(arguments) = boot.arguments.filter(|arguments| !arguments.is_empty()) {
        command.args(["-append", arguments]);
    }
    if let Some(initrd) = boot.initrd {
        command.arg("-initrd").arg(initrd);
    }
    if let Some(symbols) = boot.debug {
        let port = free_port()?;
        command.args(["-S", "-gdb", &format!("tcp:127.0.0.1:{port}")]);
        let symbols = symbols.display();
        eprintln!("waiting for a debugger; attach with one of");
        eprintln!("  gdb-multiarch {symbols} -ex 'target remote 127.0.0.1:{port}'");
        eprintln!("  lldb {symbols} -o 'gdb-remote 127.0.0.1:{port}'");
    }
    Ok(command)
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free for the debugger")?;
    Ok(listener.local_addr()?.port())
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
    asks_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Stop {
    fn new(timeout: Option<Duration>) -> Self {
        Self {
            end: End::Off,
            asks_at: timeout.map(|timeout| Instant::now() + timeout),
            ends_at: None,
        }
    }

    fn due(&mut self, interrupted: bool) -> Due {
        let now = Instant::now();
        if let Some(ends_at) = self.ends_at {
            return if now >= ends_at { Due::End } else { Due::Nothing };
        }
        self.end = match (interrupted, self.asks_at) {
            (true, _) => End::Interrupted,
            (false, Some(asks_at)) if now >= asks_at => End::Timeout,
            _ => return Due::Nothing,
        };
        self.ends_at = Some(now + PATIENCE);
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
