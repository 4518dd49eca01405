//! The compiler and linker for bare metal.
//!
//! `core` for a target without an operating system comes either compiled, as a target of rustup's, or
//! as source that the very compiler at hand was made with; then cargo compiles it too. Both the
//! compiler on the search path and the system's own may have that source: the first that is complete
//! is taken.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::arch::Arch;
use crate::process;

/// The distribution's compiler, which is not on the search path where rustup's comes first.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that can build for the target.
#[derive(Clone, Debug)]
pub(crate) struct Compiler {
    rustc: PathBuf,
    /// Whether `core` is compiled along from source.
    from_source: bool,
    /// What it calls itself.
    pub(crate) version: String,
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let library = if self.from_source { "core from its source" } else { "core installed" };
        write!(f, "{} ({}), {library}", self.version, self.rustc.display())
    }
}

/// Everything that builds the bare-metal packages.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    /// The compiler.
    pub(crate) compiler: Compiler,
    linker: PathBuf,
    arch: Arch,
}

impl Toolchain {
    /// Finds what is installed.
    pub(crate) fn find(arch: Arch) -> Result<Self> {
        let compiler = compiler(arch).map_err(|why| anyhow!(why))?;
        let linker = linker().map_err(|why| anyhow!(why))?;
        Ok(Self { compiler, linker, arch })
    }

    /// `cargo SUBCOMMAND` for the target.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        self.aim(host_cargo(), subcommand)
    }

    /// `cargo clippy` for the target. The linter must be of the compiler's own version, so a system
    /// compiler brings its own.
    pub(crate) fn clippy(&self) -> Command {
        match self.compiler.own_clippy() {
            Some(program) => self.aim(in_root(program.into()), "clippy"),
            None => self.cargo("clippy"),
        }
    }

    fn aim(&self, mut cargo: Command, subcommand: &str) -> Command {
        let target = self.arch.target();
        cargo.args([subcommand, "--target", target]).env("RUSTC", &self.compiler.rustc);
        let variable = target.to_uppercase().replace('-', "_");
        cargo.env(format!("CARGO_TARGET_{variable}_LINKER"), &self.linker);
        if self.compiler.from_source {
            cargo.env("RUSTC_BOOTSTRAP", "1").args([
                "-Zbuild-std=core,alloc,compiler_builtins",
                "-Zbuild-std-features=compiler-builtins-mem",
            ]);
        }
        cargo
    }
}

impl Compiler {
    /// Where its linter must be, if it is not the one that cargo finds.
    fn own_clippy(&self) -> Option<PathBuf> {
        (self.from_source && self.rustc == Path::new(SYSTEM_RUSTC))
            .then(|| self.rustc.with_file_name("cargo-clippy"))
    }
}

/// Finds the linter for bare metal, or says that there is none.
pub(crate) fn bare_clippy(arch: Arch) -> Result<String, String> {
    match compiler(arch)?.own_clippy() {
        Some(program) => process::output(Command::new(&program).arg("--version"))
            .ok_or_else(|| format!("{} does not run", program.display())),
        None => process::output(host_cargo().args(["clippy", "--version"]))
            .ok_or_else(|| "`cargo clippy` does not run".to_owned()),
    }
}

/// The cargo that runs this tool, in the root of the tree.
pub(crate) fn host_cargo() -> Command {
    in_root(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn in_root(program: OsString) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::paths::root());
    command
}

/// Finds a compiler for `arch`, or says why none will do.
pub(crate) fn compiler(arch: Arch) -> Result<Compiler, String> {
    let on_path = env::var_os("RUSTC").map(PathBuf::from).or_else(|| process::find("rustc"));
    let mut candidates: Vec<_> = on_path.into_iter().collect();
    let system = PathBuf::from(SYSTEM_RUSTC);
    if system.is_file() && !candidates.contains(&system) {
        candidates.push(system);
    }
    if candidates.is_empty() {
        return Err("there is no rustc".to_owned());
    }
    for from_source in [false, true] {
        for rustc in &candidates {
            let has =
                if from_source { has_source(rustc) } else { has_target(rustc, arch.target()) };
            if has && let Some(version) = version(rustc) {
                return Ok(Compiler { rustc: rustc.clone(), from_source, version });
            }
        }
    }
    let names: Vec<_> = candidates.iter().map(|rustc| rustc.display().to_string()).collect();
    Err(format!("neither the target nor the library's source is there for {}", names.join(" and ")))
}

/// What `rustc` calls itself.
pub(crate) fn version(rustc: &Path) -> Option<String> {
    process::output(Command::new(rustc).arg("--version"))
}

fn has_target(rustc: &Path, target: &str) -> bool {
    let query = ["--print", "target-libdir", "--target", target];
    process::output(Command::new(rustc).args(query)).is_some_and(|dir| {
        Path::new(&dir).read_dir().is_ok_and(|files| {
            files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
        })
    })
}

/// Whether the library's source is there and of the compiler's own version. Debian keeps it in a folder
/// that names the version; rustup's has no number and always matches.
fn has_source(rustc: &Path) -> bool {
    let Some(root) = sysroot(rustc) else { return false };
    let Ok(source) = root.join("lib/rustlib/src/rust").canonicalize() else { return false };
    let folder =
        source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let matches = match (folder.strip_prefix("rustc-"), version(rustc)) {
        (Some(number), Some(version)) => version.split(' ').nth(1) == Some(number),
        _ => true,
    };
    matches && source.join("library/Cargo.lock").is_file()
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    process::output(Command::new(rustc).args(["--print", "sysroot"])).map(PathBuf::from)
}

/// Finds a linker, or says that there is none.
pub(crate) fn linker() -> Result<PathBuf, String> {
    let on_path = process::find("rustc");
    let bundled = on_path.iter().filter_map(|rustc| {
        let libraries = sysroot(rustc)?.join("lib/rustlib");
        let host = process::output(Command::new(rustc).arg("-vV"))?;
        let host = host.lines().find_map(|line| line.strip_prefix("host: "))?;
        Some(libraries.join(host).join("bin/rust-lld"))
    });
    bundled
        .filter(|linker| linker.is_file())
        .chain(process::find("rust-lld"))
        .chain(process::find("ld.lld"))
        .next()
        .ok_or_else(|| "neither rustc's own rust-lld nor ld.lld is there".to_owned())
}
