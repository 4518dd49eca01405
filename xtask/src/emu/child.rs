//! The emulator as a process.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{self, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::process::{find, name_of};

/// Where the machine's serial line comes out.
pub(super) enum Line {
    /// At the emulator's own input and output.
    Stdio,
    /// At a connection that the emulator makes to here.
    Connection(TcpListener),
}

/// What is written to the serial line. There is nothing to write to before the line is connected.
type Writer = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// A running emulator. It is killed when this is dropped.
pub(super) struct Child {
    process: process::Child,
    /// The serial line's input.
    input: Writer,
    /// What the serial line writes; disconnected at its end.
    pub(super) output: Receiver<Vec<u8>>,
    /// The emulator's own input, where that is not the serial line.
    pub(super) commands: Option<ChildStdin>,
    /// The emulator's own output, where that is not the serial line.
    answers: Option<JoinHandle<String>>,
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

/// Hands on what comes until there is no more, or nobody to take it.
fn forward(mut from: impl Read, to: &SyncSender<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.send(buffer[..length].to_vec()).is_err() {
            break;
        }
    }
}

/// All that comes, as text.
fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        // What was read before an error is all there is.
        let _ = from.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// What a thread of [`collect`] read.
fn collected(thread: Option<JoinHandle<String>>) -> String {
    thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
}

impl Child {
    /// Starts `command` in a process group of its own.
    pub(super) fn spawn(mut command: Command, line: Line) -> Result<Self> {
        let mut process = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", name_of(&command)))?;
        let (sender, output) = sync_channel(64);
        let (mut commands, mut answers) = (process.stdin.take(), None);
        let input = Writer::default();
        match line {
            Line::Stdio => {
                if let Ok(mut input) = input.lock() {
                    *input = commands.take().map(|input| Box::new(input) as _);
                }
                if let Some(from) = process.stdout.take() {
                    thread::spawn(move || forward(from, &sender));
                }
            }
            Line::Connection(listener) => {
                answers = process.stdout.take().map(collect);
                let input = Arc::clone(&input);
                thread::spawn(move || {
                    let Ok((stream, _)) = listener.accept() else { return };
                    if let (Ok(mut input), Ok(writer)) = (input.lock(), stream.try_clone()) {
                        *input = Some(Box::new(writer));
                    }
                    forward(stream, &sender);
                });
            }
        }
        let messages = process.stderr.take().map(collect);
        Ok(Self { process, input, output, commands, answers, messages })
    }

    /// The emulator's number among all processes.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it ended before there was a serial line, which then never ends.
    pub(super) fn stillborn(&mut self) -> bool {
        let connected = self.input.lock().is_ok_and(|input| input.is_some());
        !connected && matches!(self.process.try_wait(), Ok(Some(_)))
    }

    /// Sends one byte over the serial line and says whether it went.
    pub(super) fn send(&mut self, byte: u8) -> bool {
        self.input.lock().is_ok_and(|mut input| {
            input
                .as_mut()
                .is_some_and(|input| input.write_all(&[byte]).and_then(|()| input.flush()).is_ok())
        })
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
    }

    /// Waits for its end: the status, and what it wrote as errors.
    pub(super) fn finish(&mut self) -> Result<(ExitStatus, String)> {
        let status = self.process.wait().context("cannot wait for the emulator")?;
        Ok((status, collected(self.messages.take())))
    }

    /// What it wrote for a person, if it ends in time.
    pub(super) fn answers_within(&mut self, patience: Duration) -> Option<String> {
        let ends_at = Instant::now() + patience;
        while !self.answers.as_ref()?.is_finished() {
            if Instant::now() >= ends_at {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Some(collected(self.answers.take()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        let _ = self.process.wait();
    }
}
