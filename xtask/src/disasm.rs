//! Looking for instructions that must not be in the hypervisor's machine code.
//!
//! With the probes off, nothing that is measured elsewhere may read a clock. And no function may take a
//! large part of the stack: how much a value takes that is moved is up to the compiler, so only the code
//! tells.

mod aarch64;
mod x86_64;

use std::path::Path;

use anyhow::Result;

use crate::arch::Arch;
use crate::elf::Elf;

/// Functions that may read a counter although the probes are off, by the end of their mangled names: those
/// that find out, before there is a guest, what the counter counts, and how fast.
const ALLOWED: [&str; 2] = ["5clock5start", "5clock9frequency"];
/// The most bytes of a frame: a quarter of the stack.
const MOST_BYTES: u64 = 16 << 10;

/// What an instruction tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    /// It reads a counter of this name.
    ReadsCounter(&'static str),
    /// Its function has a frame of at least so many bytes.
    Frame(u64),
}

/// Every counter read in the code of `file` that is not allowed: where, and of what.
pub(crate) fn counter_reads(file: &Path) -> Result<Vec<String>> {
    told(file, |function, at, fact| match fact {
        Fact::ReadsCounter(counter)
            if !ALLOWED.iter().any(|allowed| without_hash(function).ends_with(allowed)) =>
        {
            Some(format!("{function} reads {counter} at {at:#x}"))
        }
        _ => None,
    })
}

/// A mangled name without the hash that older compilers put at its end: `17h`, 16 digits, `E`.
fn without_hash(name: &str) -> &str {
    let hash = name.len().checked_sub("17h0123456789abcdefE".len());
    let stem = hash.and_then(|hash| Some((name.get(..hash)?, name.get(hash..)?)));
    stem.filter(|(_, hash)| hash.starts_with("17h") && hash.ends_with('E'))
        .map_or(name, |(stem, _)| stem)
}

/// Every function in the code of `file` whose frame is too large: which, and how large it is.
pub(crate) fn large_frames(file: &Path) -> Result<Vec<String>> {
    told(file, |function, at, fact| match fact {
        Fact::Frame(bytes) if bytes > MOST_BYTES => {
            Some(format!("{function} takes {bytes} bytes of the stack at {at:#x}"))
        }
        _ => None,
    })
}

/// What `tell` makes of each fact, given the function and the place that it is found in.
fn told(file: &Path, tell: impl Fn(&str, u64, Fact) -> Option<String>) -> Result<Vec<String>> {
    let elf = Elf::read(file)?;
    let facts = elf.loads.iter().filter(|load| load.code).flat_map(|load| match elf.arch {
        Arch::Aarch64 => aarch64::facts(load),
        Arch::X86_64 => x86_64::facts(load, &elf.symbols),
    });
    Ok(facts.filter_map(|(at, fact)| tell(function_at(&elf, at), at, fact)).collect())
}

/// The name of the function that `at` lies in.
fn function_at(elf: &Elf, at: u64) -> &str {
    let function = elf.symbols.iter().rfind(|symbol| symbol.address <= at);
    function.map_or("?", |symbol| symbol.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_either_scheme_end_alike() {
        let legacy = "_ZN12arch_aarch645clock5start17hd57684365064c9fcE";
        assert!(without_hash(legacy).ends_with(ALLOWED[0]));
        let newer = "_RNvNtCs1_12arch_aarch645clock5start";
        assert_eq!(without_hash(newer), newer);
        assert_eq!(without_hash("E"), "E");
    }
}
