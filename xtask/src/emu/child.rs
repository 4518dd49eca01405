//! The emulator as a process.

use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{self, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};

use crate::process::{find, name_of};

/// A running emulator. It is killed when this is dropped.
pub(super) struct Child {
    process: process::Child,
    input: Option<ChildStdin>,
    /// What it writes; disconnected at its end.
    pub(super) output: Receiver<Vec<u8>>,
    messages: Option<JoinHandle<String>>,
}

/// A command that the kernel ends when the thread that ran it is gone, for whatever reason.
///
/// `setpriv` (util-linux) sets that and becomes the program. Where there is none, only an orderly end
/// of this tool ends the program.
pub(super) fn dying_with_us(program: &Path) -> Command {
    match find("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

impl Child {
    /// Starts `command` in a process group of its own.
    pub(super) fn spawn(mut command: Command) -> Result<Self> {
        let mut process = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", name_of(&command)))?;
        let (sender, output) = sync_channel(64);
        let input = process.stdin.take();
        if let Some(mut from) = process.stdout.take() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = from.read(&mut buffer) {
                    if sender.send(buffer[..length].to_vec()).is_err() {
                        break;
                    }
                }
            });
        }
        let messages = process.stderr.take().map(|mut from| {
            thread::spawn(move || {
                let mut text = Vec::new();
                // What was read before an error is all there is.
                let _ = from.read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        Ok(Self { process, input, output, messages })
    }

    /// Sends one byte over the serial line and says whether it went.
    pub(super) fn send(&mut self, byte: u8) -> bool {
        self.input
            .as_mut()
            .is_some_and(|input| input.write_all(&[byte]).and_then(|()| input.flush()).is_ok())
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
    }

    /// Waits for its end: the status, and what it wrote as errors.
    pub(super) fn finish(mut self) -> (Option<ExitStatus>, String) {
        let status = self.process.wait().ok();
        let messages = self.messages.take().and_then(|thread| thread.join().ok());
        (status, messages.unwrap_or_default())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        let _ = self.process.wait();
    }
}
