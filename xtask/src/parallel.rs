//! Many runs, some at once: an emulator needs one processor, and a computer has more.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result};

use crate::emu;
use crate::progress::Step;

/// How many run at once.
const AT_ONCE: usize = 2;

/// Does the same with each item, and keeps their order. An interrupt ends it early.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Vec<Result<R>> {
    let step = Mutex::new(None);
    let next = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().map(|mut items| items.next());
                    let Ok(Some((index, item))) = taken else { break };
                    if emu::interrupted() {
                        break;
                    }
                    if let Ok(mut step) = step.lock() {
                        *step = Step::live(format!("run {} of {}", index + 1, items.len()));
                    }
                    let result = work(item);
                    if let Ok(mut done) = done.lock() {
                        done.insert(index, result);
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    (0..items.len()).map(|index| done.remove(&index).context("it did not run").flatten()).collect()
}
