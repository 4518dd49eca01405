//! What this tool reads in an ELF file.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use object::elf::{EM_AARCH64, EM_X86_64, PF_X, PT_LOAD};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{LittleEndian as LE, Object as _, ObjectSymbol as _};

use crate::arch::Arch;

/// The first bytes of an ELF file.
pub(crate) const MAGIC: &[u8] = b"\x7fELF";

/// A piece of an ELF file that is loaded into memory.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Its physical address.
    pub(crate) at: u64,
    /// Its virtual address, which symbols use.
    pub(crate) seen_at: u64,
    /// What stands there.
    pub(crate) bytes: Vec<u8>,
    /// How many bytes it takes, zeros after [`Self::bytes`] included.
    pub(crate) size: u64,
    /// Whether it holds code.
    pub(crate) code: bool,
}

/// A symbol with a name.
#[derive(Clone, Debug)]
pub(crate) struct Symbol {
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) address: u64,
}

/// What a file says of itself to those who load it.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    /// Whose note it is.
    pub(crate) owner: Vec<u8>,
    /// What it is about, as its owner numbers it.
    pub(crate) kind: u32,
    /// What it says.
    pub(crate) content: Vec<u8>,
}

/// An executable.
#[derive(Clone, Debug)]
pub(crate) struct Elf {
    /// What for.
    pub(crate) arch: Arch,
    /// Where it begins.
    pub(crate) entry: u64,
    /// What is loaded.
    pub(crate) loads: Vec<Load>,
    /// Its symbols, by address.
    pub(crate) symbols: Vec<Symbol>,
    /// Its notes.
    pub(crate) notes: Vec<Note>,
}

impl Elf {
    /// Reads `file`.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let data = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&data).with_context(|| format!("{} cannot be used", file.display()))
    }

    /// Reads an executable.
    pub(crate) fn parse(data: &[u8]) -> Result<Self> {
        let file =
            ElfFile64::<LE>::parse(data).context("it is no 64-bit little-endian ELF file")?;
        let header = file.elf_header();
        let arch = match header.e_machine(LE) {
            EM_AARCH64 => Arch::Aarch64,
            EM_X86_64 => Arch::X86_64,
            _ => bail!("it is an ELF file for another machine than AArch64 and x86-64"),
        };
        let (mut loads, mut notes) = (Vec::new(), Vec::new());
        for program in file.elf_program_headers() {
            if let Ok(Some(iterator)) = program.notes(LE, data) {
                // What stands behind a note that cannot be read cannot be found.
                notes.extend(iterator.map_while(Result::ok).map(|note| Note {
                    owner: note.name().to_vec(),
                    kind: note.n_type(LE).0,
                    content: note.desc().to_vec(),
                }));
            }
            if program.p_type(LE) != PT_LOAD || program.p_memsz(LE) == 0 {
                continue;
            }
            let bytes = program.data(LE, data).ok().context("a segment lies outside the file")?;
            let size = program.p_memsz(LE);
            ensure!(bytes.len() as u64 <= size, "a segment is larger in the file than in memory");
            ensure!(
                program.p_paddr(LE).checked_add(size).is_some(),
                "a segment ends beyond 64 bits"
            );
            loads.push(Load {
                at: program.p_paddr(LE),
                seen_at: program.p_vaddr(LE),
                bytes: bytes.to_vec(),
                size,
                code: program.p_flags(LE).0 & PF_X.0 != 0,
            });
        }
        loads.sort_by_key(|load| load.at);
        ensure!(!loads.is_empty(), "nothing in it is to be loaded");
        let named = file.symbols().filter_map(|symbol| {
            let name = symbol.name().ok().filter(|name| !name.is_empty())?;
            Some(Symbol { name: name.to_owned(), address: symbol.address() })
        });
        let mut symbols: Vec<_> = named.collect();
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        Ok(Self { arch, entry: header.e_entry(LE), loads, symbols, notes })
    }

    /// Where the symbol `name` is.
    pub(crate) fn address_of(&self, name: &str) -> Option<u64> {
        self.symbols.iter().find(|symbol| symbol.name == name).map(|symbol| symbol.address)
    }

    /// Its memory from the lowest address to `end`, with zeros where the file has nothing.
    pub(crate) fn flat(&self, end: u64) -> Result<Vec<u8>> {
        let base = self.loads.first().map_or(end, |load| load.at);
        let length = end.checked_sub(base).context("it ends before it begins")?;
        let mut bytes = vec![0; usize::try_from(length)?];
        for load in &self.loads {
            let from = usize::try_from(load.at - base)?;
            bytes
                .get_mut(from..from + load.bytes.len())
                .context("a segment lies behind its end")?
                .copy_from_slice(&load.bytes);
        }
        Ok(bytes)
    }
}
