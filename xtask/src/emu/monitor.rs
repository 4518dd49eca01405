//! QEMU's monitor: what the processor was doing when nothing inside could say.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// How long the monitor may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The socket through which one emulator is asked. Its file is removed when this is dropped.
pub(super) struct Socket(PathBuf);

impl Socket {
    /// A name that no other run uses. It stands in the folder for temporary files because the name
    /// of a socket must be short.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(env::temp_dir().join(format!("umbra-{}-{number}.sock", process::id())))
    }

    /// It, as an option of QEMU's.
    pub(super) fn argument(&self) -> String {
        format!("unix:{},server=on,wait=off", self.0.display())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It is not there if QEMU ended in order.
        let _ = fs::remove_file(&self.0);
    }
}

/// The integer registers of the stopped machine: the lines that begin like one of `starts`.
pub(super) fn registers(socket: &Socket, starts: &[&str]) -> Option<String> {
    let mut to = UnixStream::connect(&socket.0).ok()?;
    to.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut from = BufReader::new(to.try_clone().ok()?);
    let mut ask = |request: Value| {
        to.write_all(format!("{request}\n").as_bytes()).ok()?;
        let mut line = String::new();
        loop {
            line.clear();
            if from.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let answer: Value = serde_json::from_str(&line).ok()?;
            if let Some(value) = answer.get("return") {
                return Some(value.clone());
            }
        }
    };
    ask(json!({ "execute": "qmp_capabilities" }))?;
    ask(json!({ "execute": "stop" }))?;
    let text = ask(json!({
        "execute": "human-monitor-command",
        "arguments": { "command-line": "info registers" },
    }))?;
    let integer = text.as_str()?.lines().filter(|line| {
        let line = line.trim_start();
        starts.iter().any(|start| line.starts_with(start))
    });
    Some(integer.collect::<Vec<_>>().join("\n").replace('\r', ""))
}
