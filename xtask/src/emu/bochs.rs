//! Bochs: a disc that GRUB boots, a file of settings, and the serial line over a connection.
//!
//! Debian's Bochs has its own debugger built in. It is told to go on at once, and asked for the
//! registers of a machine that does not answer; it serves no debugger from outside.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{self, Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::child::{self, Child, Line};
use super::{Boot, Emulation, Medium};
use crate::computer::{Computer, Model};
use crate::grub::{self, Disc};
use crate::process;
use crate::scratch::Scratch;

/// What it panics with when the machine is switched off from within.
const SHUTDOWN: &str = "shutdown requested";
/// What precedes its reason to end, among its messages.
const REASON: &str = "Bochs is exiting with the following message:";
/// How long its debugger may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How its debugger's lines begin that tell the integer registers.
const REGISTER_LINES: [&str; 2] = ["r", "eflags"];

/// A running Bochs.
pub(super) struct Bochs {
    child: Child,
    /// The files that it reads.
    _scratch: Scratch,
}

impl Bochs {
    /// Starts it.
    pub(super) fn start(boot: &Boot<'_>) -> Result<Self> {
        let Computer::Bochs(model) = boot.computer else { bail!("this is no machine of Bochs's") };
        let scratch = Scratch::new("bochs")?;
        let file = |name: &str| scratch.path().join(name);
        let disc = match boot.medium {
            Medium::Kernel(kernel) => {
                let (arguments, initrd) = (boot.arguments, boot.initrd);
                grub::write_small(&Disc { kernel, arguments, initrd }, &file("disc.iso"))?;
                PathBuf::from("disc.iso")
            }
            Medium::Disc(disc) => path::absolute(disc)?,
            Medium::Uefi(..) => bail!("Bochs has no UEFI firmware"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").context("no port is free for Bochs")?;
        let port = listener.local_addr()?.port();
        let settings = settings(model, boot.memory >> 20, &disc, port);
        fs::write(file("bochsrc"), settings).context("cannot write Bochs's settings")?;
        fs::write(file("debugger"), "continue\n").context("cannot write Bochs's settings")?;
        let mut command = child::dying_with_us(&boot.emulator.program);
        command.args(["-unlock", "-q", "-f", "bochsrc", "-rc", "debugger"]);
        command.current_dir(scratch.path()).env("TERM", "vt100");
        let child = Child::spawn(command, Line::Connection(listener))?;
        Ok(Self { child, _scratch: scratch })
    }
}

impl Emulation for Bochs {
    fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// An interrupt brings its debugger back, which reads the next commands where it was started.
    fn registers(&mut self) -> Option<String> {
        self.child.commands.take()?.write_all(b"regs\nquit\n").ok()?;
        process::output(Command::new("kill").args(["-INT", &self.child.id().to_string()]))?;
        let answers = self.child.answers_within(PATIENCE)?;
        let lines = answers.lines().map(|line| line.trim_start_matches("<bochs:2> "));
        let registers = lines.filter(|line| REGISTER_LINES.iter().any(|of| line.starts_with(of)));
        Some(registers.collect::<Vec<_>>().join("\n"))
    }

    /// It ends with status 1 whatever happened, and says why.
    fn failure(&self, status: ExitStatus, messages: &str, _: bool) -> Option<String> {
        let mut lines = messages.lines().skip_while(|line| *line != REASON);
        match lines.nth(1) {
            Some(reason) if reason.contains(SHUTDOWN) => None,
            Some(reason) => Some(format!("Bochs gave up: {}", reason.trim())),
            None => {
                let last = messages.lines().rfind(|line| !line.trim().is_empty());
                Some(format!("Bochs failed ({status}): {}", last.unwrap_or("it says nothing")))
            }
        }
    }
}

/// What a machine is like: one instruction is one tick of its clock, and two runs are identical.
fn settings(model: Model, mebibytes: u64, disc: &Path, port: u16) -> String {
    let (model, disc) = (model.name, disc.display());
    format!(
        "\
plugin_ctrl: biosdev=1, extfpuirq=1, serial=1, unmapped=1, iodebug=0, parallel=0, speaker=0
config_interface: textconfig
display_library: term
romimage: file=$BXSHARE/BIOS-bochs-latest
vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest
memory: guest={mebibytes}, host={mebibytes}
cpu: model={model}, count=1, ips=4000000, reset_on_triple_fault=0
clock: sync=none, time0=1000000000
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={disc}, status=inserted
boot: cdrom
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"
    )
}
