//! QEMU: the machines, as its options, and what it says of itself.

use std::net::TcpListener;
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result};

use super::child::{self, Child, Line};
use super::{Boot, Emulation, Medium, monitor};
use crate::arch::Arch;
use crate::computer::{Accel, Computer};
use crate::mmu;

/// How an instruction executes, where QEMU does it by itself: the settings by which the instruction
/// clock is exact and two runs are identical.
const EXACT: [&str; 6] =
    ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-seed", "1"];
/// The device that ends a PC from within.
const DEBUG_EXIT: &str = "isa-debug-exit,iobase=0xf4,iosize=4";
/// A clock that shows the same time in every run.
const CLOCK: &str = "base=2020-01-01,clock=vm";

/// A computer that QEMU emulates, as its options.
pub(crate) fn machine(
    command: &mut Command,
    computer: Computer,
    virtualization: bool,
    mebibytes: u64,
) {
    let on = if virtualization { "on" } else { "off" };
    match computer {
        Computer::Q35(Accel::Kvm) => command.args(["-M", "q35", "-cpu", "host", "-accel", "kvm"]),
        // QEMU has aborted ("Bad icount read") where a guest saw both x2APIC and TSC-deadline.
        Computer::Q35(Accel::Tcg) => command
            .args(["-M", "q35", "-cpu", &format!("max,svm={on},tsc-deadline=off")])
            .args(EXACT),
        Computer::Virt | Computer::Bochs(_) => {
            let virt =
                format!("virt,virtualization={on},secure=off,gic-version=3,dtb-randomness=off");
            command.args(["-M", &virt, "-cpu", "max"]).args(EXACT)
        }
    };
    command.args(["-smp", "1", "-m", &mebibytes.to_string()]).args([
        "-nodefaults",
        "-display",
        "none",
    ]);
    if computer.arch() == Arch::X86_64 {
        command.args(["-rtc", CLOCK, "-no-reboot", "-device", DEBUG_EXIT]);
    }
}

/// A running QEMU.
pub(super) struct Qemu {
    arch: Arch,
    child: Child,
    monitor: monitor::Socket,
}

impl Qemu {
    /// Starts it.
    pub(super) fn start(boot: &Boot<'_>) -> Result<Self> {
        let monitor = monitor::Socket::new();
        let child = Child::spawn(command(boot, &monitor)?, Line::Stdio)?;
        Ok(Self { arch: boot.computer.arch(), child, monitor })
    }
}

impl Emulation for Qemu {
    fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    fn registers(&mut self) -> Option<String> {
        monitor::registers(&self.monitor, self.arch.register_lines())
    }

    /// The debug exit of a PC gives a status that is never 0, and may be that of a failure. A failure
    /// has a message, and comes before the guest's first word.
    fn failure(&self, status: ExitStatus, messages: &str, silent: bool) -> Option<String> {
        let message = messages.lines().find(|line| !line.contains("warning:"));
        let ended_within = match self.arch {
            Arch::Aarch64 => status.success(),
            Arch::X86_64 => status.code().is_some() && !(silent && message.is_some()),
        };
        let message = message.unwrap_or("it says nothing");
        (!ended_within).then(|| {
            let refusal = mmu::refusal(messages);
            refusal.unwrap_or_else(|| format!("QEMU failed ({status}): {message}"))
        })
    }
}

fn command(boot: &Boot<'_>, monitor: &monitor::Socket) -> Result<Command> {
    let mut command = child::dying_with_us(&boot.emulator.program);
    machine(&mut command, boot.computer, boot.hypervisor, boot.memory >> 20);
    command.args(["-monitor", "none", "-serial", "stdio", "-qmp", &monitor.argument()]);
    match boot.medium {
        Medium::Kernel(kernel) => command.arg("-kernel").arg(kernel),
        Medium::Disc(disc) => command.arg("-cdrom").arg(disc),
        Medium::Uefi(disc, firmware) => command.arg("-cdrom").arg(disc).arg("-bios").arg(firmware),
    };
    if let Some(arguments) = boot.arguments.filter(|arguments| !arguments.is_empty()) {
        command.args(["-append", arguments]);
    }
    if let Some(initrd) = boot.initrd {
        command.arg("-initrd").arg(initrd);
    }
    if let Some(model) = boot.model {
        command.args(model.options(boot.computer.arch(), boot.memory, boot.hypervisor)?);
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
