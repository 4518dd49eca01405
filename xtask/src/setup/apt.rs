//! Remedies for Debian and its kin.
//!
//! Debian 12's own QEMU is too old; its backports suite has one that will do. A computer that does
//! not list that suite gets it at the address, and under the key, of the entry that its own release
//! comes from: this file knows no server.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Remedy, as_root, emulator};
use crate::arch::Arch;
use crate::process;

/// Where apt's sources are listed.
const SOURCES: &str = "/etc/apt";
/// The file that the backports suite goes to, without its ending.
const ADDED: &str = "/etc/apt/sources.list.d/umbra-backports";

/// The package of QEMU for an instruction set.
const fn qemu_package(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 => "qemu-system-arm",
        Arch::X86_64 => "qemu-system-x86",
    }
}

/// Installs packages, where apt is there to do it.
pub(super) fn install(packages: &[&str]) -> Option<Remedy> {
    process::find("apt-get")?;
    Some(Remedy { commands: vec![update()?, get("", packages)?] })
}

/// Installs QEMU, from the release where that is new enough, else from its backports.
pub(super) fn qemu(arch: Arch) -> Option<Remedy> {
    process::find("apt-get")?;
    let package = qemu_package(arch);
    let release = Release::read()?;
    if release.is_new_enough(package) {
        return install(&[package]);
    }
    let backports = format!("{}-backports", release.codename);
    let sources = read_sources(Path::new(SOURCES));
    let mut commands = Vec::new();
    if !sources.iter().any(|source| source.names_suite(&backports)) {
        let own = sources.iter().find(|source| source.names_suite(&release.codename))?;
        let (ending, text) = own.with_suite(&backports);
        let lines: Vec<_> = text.lines().map(quoted).collect();
        let tee = as_root(&format!("tee {ADDED}.{ending}"))?;
        commands.push(format!("printf '%s\\n' {} | {tee} >/dev/null", lines.join(" ")));
    }
    commands.push(update()?);
    commands.push(get(&format!("-t {backports} "), &[package])?);
    Some(Remedy { commands })
}

fn update() -> Option<String> {
    as_root("apt-get update -q")
}

fn get(options: &str, packages: &[&str]) -> Option<String> {
    as_root(&format!(
        "apt-get install -q -y --no-install-recommends {options}{}",
        packages.join(" ")
    ))
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', r"'\''"))
}

/// Which release of which distribution this is.
struct Release {
    codename: String,
    debian: Option<u32>,
}

impl Release {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/etc/os-release").ok()?;
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(|value| value.trim_matches('"').to_owned())
        };
        let debian =
            (value("ID")? == "debian").then(|| value("VERSION_ID")?.parse().ok()).flatten();
        Some(Self { codename: value("VERSION_CODENAME")?, debian })
    }

    /// What apt knows decides; before its first update, what is known of Debian.
    fn is_new_enough(&self, package: &str) -> bool {
        let policy =
            process::output(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"));
        match policy.as_deref().and_then(candidate) {
            Some(major) => major >= emulator::OLDEST,
            None => self.debian.is_none_or(|release| release >= 13),
        }
    }
}

/// The major version that `apt-cache policy` would install.
fn candidate(policy: &str) -> Option<u32> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?.trim();
    let upstream = version.split_once(':').map_or(version, |(_, upstream)| upstream);
    upstream.split('.').next()?.parse().ok()
}

/// One entry of apt's sources, in one of its two notations.
#[derive(Debug)]
enum Source {
    /// A line of a `.list` file: options in brackets, address, suite, components.
    Line { options: String, uri: String, suite: String },
    /// A paragraph of a `.sources` file, each field with the lines that continue it.
    Paragraph(Vec<(String, String)>),
}

impl Source {
    fn names_suite(&self, wanted: &str) -> bool {
        match self {
            Self::Line { suite, .. } => suite == wanted,
            Self::Paragraph(fields) => {
                let has = |key: &str, word: &str| {
                    fields.iter().any(|(name, value)| {
                        name.eq_ignore_ascii_case(key)
                            && value.split_whitespace().any(|part| part == word)
                    })
                };
                has("Suites", wanted) && has("Types", "deb") && !has("Enabled", "no")
            }
        }
    }

    /// The same entry for another suite, and the ending of the file it belongs in.
    fn with_suite(&self, suite: &str) -> (&'static str, String) {
        match self {
            Self::Line { options, uri, .. } => {
                ("list", format!("deb {options}{uri} {suite} main\n"))
            }
            Self::Paragraph(fields) => {
                let mut text = String::from("Types: deb\n");
                for (name, value) in fields {
                    match name.to_ascii_lowercase().as_str() {
                        "types" => {}
                        "suites" => text.push_str(&format!("Suites: {suite}\n")),
                        "components" => text.push_str("Components: main\n"),
                        _ => text.push_str(&format!("{name}:{value}\n")),
                    }
                }
                ("sources", text)
            }
        }
    }
}

fn read_sources(dir: &Path) -> Vec<Source> {
    let mut files = vec![dir.join("sources.list")];
    if let Ok(entries) = fs::read_dir(dir.join("sources.list.d")) {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let parse = |file: &Path| {
        let text = fs::read_to_string(file).ok()?;
        match file.extension()?.to_str()? {
            "list" => Some(text.lines().filter_map(parse_line).collect()),
            "sources" => Some(parse_paragraphs(&text)),
            _ => None,
        }
    };
    files.iter().filter_map(|file| parse(file)).flatten().collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inside) => {
            let (options, rest) = inside.split_once(']')?;
            (format!("[{options}] "), rest)
        }
        None => (String::new(), rest),
    };
    let mut words = rest.split_whitespace();
    Some(Source::Line { options, uri: words.next()?.to_owned(), suite: words.next()?.to_owned() })
}

fn parse_paragraphs(text: &str) -> Vec<Source> {
    let mut paragraphs = vec![Vec::<(String, String)>::new()];
    for line in text.lines() {
        let fields = paragraphs.last_mut();
        if line.starts_with('#') {
        } else if line.trim().is_empty() {
            paragraphs.push(Vec::new());
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.and_then(|fields| fields.last_mut()) {
                value.push('\n');
                value.push_str(line);
            }
        } else if let (Some(fields), Some((name, value))) = (fields, line.split_once(':')) {
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
    paragraphs.into_iter().filter(|fields| !fields.is_empty()).map(Source::Paragraph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_options() {
        let source =
            parse_line("deb [signed-by=/k.gpg arch=amd64] http://mirror/debian bookworm main")
                .unwrap();
        assert!(source.names_suite("bookworm"));
        let (ending, text) = source.with_suite("bookworm-backports");
        assert_eq!(ending, "list");
        assert_eq!(
            text,
            "deb [signed-by=/k.gpg arch=amd64] http://mirror/debian bookworm-backports main\n"
        );
    }

    #[test]
    fn a_paragraph_keeps_its_key() {
        let text = "# about\nTypes: deb deb-src\nURIs: http://mirror/debian\nSuites: bookworm bookworm-updates\n\
                    Components: main contrib\nSigned-By:\n -----BEGIN\n .\n";
        let sources = parse_paragraphs(text);
        assert!(
            sources[0].names_suite("bookworm") && !sources[0].names_suite("bookworm-backports")
        );
        let (_, made) = sources[0].with_suite("bookworm-backports");
        assert_eq!(
            made,
            "Types: deb\nURIs: http://mirror/debian\nSuites: bookworm-backports\nComponents: main\n\
             Signed-By:\n -----BEGIN\n .\n"
        );
    }

    #[test]
    fn comments_and_sources_of_sources_are_no_entries() {
        assert!(parse_line("# deb http://mirror/debian bookworm main").is_none());
        assert!(parse_line("deb-src http://mirror/debian bookworm main").is_none());
        assert!(parse_paragraphs("\n\n# nothing\n").is_empty());
        let disabled = &parse_paragraphs("Types: deb\nSuites: a\nEnabled: no\n")[0];
        assert!(!disabled.names_suite("a"));
    }

    #[test]
    fn the_candidate_is_read_without_its_epoch() {
        assert_eq!(
            candidate("qemu-system-arm:\n  Installed: (none)\n  Candidate: 1:7.2+dfsg-7\n"),
            Some(7)
        );
        assert_eq!(candidate("  Candidate: (none)\n"), None);
        assert_eq!(candidate("  Candidate: 1:10.0.2+ds-2\n"), Some(10));
    }
}
