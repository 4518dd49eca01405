//! Guests that a person wrote, as text.
//!
//! ```text
//! machine frames=48 ram=8M low=48 high=39      what is built; the defaults are Config::small's
//! machine around=2                             a fault fills 4 groups of 8 entries at first (x86)
//! machine without=out-of-sync                  the engine leaves a step out; `with` adds one
//! t0[0] = table t1 user-never                  an entry, stored by a mapping nobody knows of
//! t0[1] = table t0 used                        a table entry that works as a page too
//! batch t3[5] = page d0 ; t3[6..9] = 0         entries that the guest hands over, and in how many exits
//! t3[5] = page d0 user ro ng                   pages and blocks begin as kernel rw, executable
//! root 0 t0                                    TTBR0 := t0; also `t0+200`, `device`, a number
//! switch 0 t3 t9                               the same for one table after another
//! on, off                                      paging
//! reset                                        everything is given up, whatever there is
//! low=39                                       a register of the MMU changes
//! write wide=2 stepped 0:0.0.1.5+10 = 7        half : top . gig . block . page + offset
//! read user 1:0.0.0.0                          says what came of it, and in how many exits
//! step 0:0.0.1.5+8 0:0.0.1.6                   one instruction stores to both places
//! walk 0:0.0.1.5                               the hardware walks by itself
//! missing 0:0.0.1.5                            a fault whose cause is gone when it is looked at
//! protected 0:0.0.1.5 d0                       the same for a store to what was a table
//! spurious 0:0.0.1.5                           the same for a write, of an architecture that has but one fault
//! peek t0+8                                    says which flags of the guest's entry are set
//! free                                         says how many frames are free
//! shadow                                       says what the shadow's tables hold
//! count blocks_split                           says how often an event was counted
//! ```
//!
//! `t0`, `t1`, … are frames for tables, which lie in two blocks of 2 MiB; `d0`, … others; `b0`, …
//! blocks of 2 MiB of RAM; `g1`, … blocks of 1 GiB. Text behind `#` is for people.

use std::fmt::Write as _;

use paging::addr::{Gpa, Gva, Level};
use paging::attrs::{Access, Kind};
use paging::entry::Shadowed;
use paging::fault::{Fault, GuestFault};
use paging::switch::Switch;
use probe::Event;

use crate::ops::{DATA, TABLES, Target};
use crate::{Arch, Config, DEVICE, How, Machine, Seen, ShadowVm, Store};

/// Runs `fixture` and compares what it says with `expect`, line by line.
///
/// # Panics
///
/// If they differ, or if anything is wrong that [`ShadowVm`] checks.
pub fn check<A: Arch>(fixture: &str, expect: &str) {
    let said = run::<A>(fixture);
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    };
    let (said, expect) = (lines(&said), lines(expect));
    assert!(said == expect, "the guest saw:\n{}\nand not:\n{}", said.join("\n"), expect.join("\n"));
}

/// Runs `fixture` and returns what it says.
#[must_use]
pub fn run<A: Arch>(fixture: &str) -> String {
    let lines = || fixture.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut config = Config::small(A::REGIME);
    for line in lines().filter(|line| line.starts_with("machine")) {
        line.split_whitespace().skip(1).for_each(|word| configure::<A>(&mut config, word));
    }
    let mut scenario: Scenario<A> =
        Scenario { config, vm: ShadowVm::new(&config), said: String::new() };
    for line in lines().filter(|line| !line.is_empty() && !line.starts_with("machine")) {
        scenario.line(line);
        scenario.vm.settle();
    }
    scenario.vm.set_paging(false);
    scenario.said
}

/// A scenario under way.
struct Scenario<A: Arch> {
    config: Config<A::Regime>,
    vm: ShadowVm<A>,
    said: String,
}

impl<A: Arch> Scenario<A> {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["on"] => self.vm.set_paging(true),
            ["off"] => self.vm.set_paging(false),
            ["reset"] => self.vm.reset(),
            ["root", half, to] => {
                let to = Gpa::from_bits(self.physical(to));
                self.vm.load_root(number(half) as usize, to);
            }
            ["switch", half, from, to] => {
                for table in number(&from[1..])..=number(&to[1..]) {
                    let to = self.config.table(table as u8);
                    self.vm.load_root(number(half) as usize, Gpa::from_bits(to));
                }
            }
            ["walk", at] => self.vm.speculate(self.virtual_address(at)),
            ["spurious", at] => {
                let access = Access { kind: Kind::Write, user: false, guarded: false };
                let at = self.virtual_address(at);
                self.vm.fault(Fault::Page { at, access, present: true });
            }
            ["missing", at] => {
                let at = self.virtual_address(at);
                self.vm.fault(Fault::Missing { at });
            }
            ["protected", at, gpa] => {
                let at = self.virtual_address(at);
                let gpa = Gpa::from_bits(self.physical(gpa));
                self.vm.fault(Fault::Protected { at, gpa });
            }
            ["shadow"] => self.say_shadow(),
            ["count", name] => {
                let event = Event::ALL.iter().find(|event| event.name() == name);
                let event = *event.unwrap_or_else(|| panic!("no event {name}"));
                let count = self.vm.parts().probe.of(event);
                self.say(&format!("{name} {count}"));
            }
            ["peek", at] => {
                let at = self.physical(at);
                let value = self.vm.peek(Gpa::from_bits(at)).unwrap_or_default();
                let flags = A::flags(value);
                self.say(&flags);
            }
            ["free"] => {
                let free = self.vm.parts().pool.available();
                self.say(&format!("free {free}"));
            }
            [kind @ ("read" | "write" | "fetch"), ref rest @ ..] => self.access(kind, rest),
            ["step", ref places @ ..] => {
                let stores: Vec<_> = places.iter().map(|at| self.stepped(at)).collect();
                let before = self.vm.exits();
                let seen = self.vm.step(&stores);
                let exits = self.vm.exits() - before;
                let seen: Vec<_> = seen.into_iter().map(|seen| self.named(seen)).collect();
                self.say(&format!("{} exits={exits}", seen.join(", ")));
            }
            ["batch", ref stores @ ..] => self.batch(stores),
            [entry, "=", ref value @ ..] => {
                for (at, value) in self.entries(entry, value) {
                    self.vm.poke(at, Store { width: 3, value, how: How::Described });
                }
            }
            _ if words.iter().all(|word| word.contains('=')) => {
                words.iter().for_each(|word| configure::<A>(&mut self.config, word));
                self.vm.load_regime(self.config.regime);
            }
            _ => panic!("what is {line:?}?"),
        }
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.said, "{line}");
    }

    /// `t0[3] = page d0 user`, or `t0[3..5]` for several
    fn entries(&self, entry: &str, value: &[&str]) -> Vec<(Gpa, u64)> {
        let (table, rest) = entry.split_once('[').unwrap_or_else(|| panic!("no entry: {entry}"));
        let rest = rest.trim_end_matches(']');
        let (first, last) = rest.split_once("..").unwrap_or((rest, rest));
        let table = self.physical(table);
        let (first, last) = (number(first), number(last));
        (first..=last)
            .map(|place| {
                let value = self.descriptor(value, place - first);
                (Gpa::from_bits(table + 8 * place), value)
            })
            .collect()
    }

    /// Entries, with `;` between them.
    fn batch(&mut self, words: &[&str]) {
        let mut stores = Vec::new();
        for words in words.split(|word| *word == ";") {
            let [entry, "=", value @ ..] = words else { panic!("no entry: {words:?}") };
            stores.extend(self.entries(entry, value));
        }
        let before = self.vm.exits();
        self.vm.hand_over(&stores);
        let exits = self.vm.exits() - before;
        self.say(&format!("exits={exits}"));
    }

    /// The descriptor that `words` describe; `place` says which of several, for `walking` ones.
    fn descriptor(&self, words: &[&str], place: u64) -> u64 {
        let (form, words) = words.split_first().expect("a descriptor has a form");
        let mut raw = match *form {
            "0" => return 0,
            "raw" => return number(words[0]),
            form => A::form(form).unwrap_or_else(|| panic!("no form {form}")),
        };
        let (to, words) = words.split_first().expect("a descriptor leads somewhere");
        let mut to = self.physical(to);
        for word in words {
            match *word {
                "walking" => to += place << 12,
                "striding" => to += place << 21,
                word => {
                    raw = A::attribute(raw, word).unwrap_or_else(|| panic!("no attribute {word}"));
                }
            }
        }
        raw | to
    }

    /// `write user wide=2 stepped 0:0.0.0.3+8 = 7`
    fn access(&mut self, kind: &str, words: &[&str]) {
        let kind = match kind {
            "read" => Kind::Read,
            "write" => Kind::Write,
            _ => Kind::Execute,
        };
        let mut access = Access { kind, user: false, guarded: false };
        let mut store = Store { width: 3, value: 0, how: How::Described };
        let mut at = None;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "user" => access.user = true,
                "pan" => access.guarded = true,
                "stepped" => store.how = How::Stepped,
                "exclusive" => store.how = How::Exclusive,
                "wide=0" => store.width = 0,
                "wide=1" => store.width = 1,
                "wide=2" => store.width = 2,
                "=" => {
                    let value: Vec<&str> = words.by_ref().copied().collect();
                    store.value = match value[..] {
                        [value] => self.physical(value),
                        _ => self.descriptor(&value, 0),
                    };
                }
                place => at = Some(self.virtual_address(place)),
            }
        }
        let before = self.vm.exits();
        let seen = self.vm.access(at.expect("an access has an address"), access, store);
        let exits = self.vm.exits() - before;
        let seen = self.named(seen);
        self.say(&format!("{seen} exits={exits}"));
    }

    fn stepped(&self, at: &str) -> (Gva, Access, Store) {
        let (at, value) = at.split_once('=').unwrap_or((at, "0"));
        let store = Store { width: 3, value: self.physical(value), how: How::Stepped };
        let access = Access { kind: Kind::Write, user: false, guarded: false };
        (self.virtual_address(at), access, store)
    }

    /// `half:top.gig.block.page+offset`, the entries in decimal; or a hexadecimal number.
    fn virtual_address(&self, text: &str) -> Gva {
        let Some((half, rest)) = text.split_once(':') else { return Gva::from_bits(hex(text)) };
        let (entries, offset) = rest.split_once('+').unwrap_or((rest, "0"));
        let mut at = A::lowest(&self.config.regime, number(half) as usize);
        for (above, entry) in entries.split('.').enumerate() {
            let level = Level::new(3 - above as u8).expect("there are four levels");
            at |= number(entry) << level.shift();
        }
        Gva::from_bits(at | hex(offset))
    }

    /// `t0`, `d0`, `b0`, `g1`, `device`, each perhaps with `+offset`; or a hexadecimal number.
    fn physical(&self, text: &str) -> u64 {
        let (name, offset) = text.split_once('+').unwrap_or((text, "0"));
        let of = |to: fn(u8) -> Target| Some(to(name.get(1..)?.parse().ok()?));
        let target = match name.as_bytes().first() {
            _ if name == "device" => Some(Target::Device),
            Some(b't') => of(Target::Table),
            Some(b'd') => of(Target::Data),
            Some(b'b') => of(Target::Block),
            Some(b'g') => of(Target::Gig),
            _ => None,
        };
        target.map_or_else(|| hex(name), |target| self.config.target(target)) + hex(offset)
    }

    /// What the guest saw, with the names of the fixture.
    fn named(&self, seen: Seen) -> String {
        match seen {
            Seen::Ram(at, _) => self.name(at),
            Seen::Device(at) => match at.offset_from(Gpa::from_bits(DEVICE)) {
                Some(offset @ ..=0xfff) => format!("device+{offset:x}"),
                _ => format!("nothing {:x}", at.bits()),
            },
            Seen::Fault(fault) => match fault {
                GuestFault::Translation(level) => format!("translation {}", level.number()),
                GuestFault::Reserved(level) => format!("reserved {}", level.number()),
                GuestFault::AddressSize(level) => format!("size {}", level.number()),
                GuestFault::AccessFlag(level) => format!("flag {}", level.number()),
                GuestFault::Permission(level) => format!("permission {}", level.number()),
                GuestFault::WalkAbort(level) => format!("walk-abort {}", level.number()),
                GuestFault::Abort => "abort".to_owned(),
            },
        }
    }

    fn name(&self, at: Gpa) -> String {
        let page = at.frame().start().bits();
        let find = |count: u8, to: fn(u8) -> Target| {
            (0..count).find(|number| self.config.target(to(*number)) == page)
        };
        let name = if let Some(number) = find(TABLES, Target::Table) {
            format!("t{number}")
        } else if let Some(number) = find(DATA, Target::Data) {
            format!("d{number}")
        } else {
            format!("{page:x}")
        };
        match at.page_offset() {
            0 => name,
            offset => format!("{name}+{offset:x}"),
        }
    }

    fn say_shadow(&mut self) {
        let entries = self.vm.entries();
        for (table, index, what) in &entries {
            let of = |table: &paging::shadow::check::Table| match table.frame {
                Some(frame) => self.name(frame.start()),
                None => "parts".to_owned(),
            };
            let what = match what {
                Shadowed::Absent => continue,
                Shadowed::Unknown => "unknown".to_owned(),
                Shadowed::Device => "device".to_owned(),
                Shadowed::Table(to) => {
                    let next = entries.iter().find(|(table, ..)| table.at == to.start());
                    format!("table {}", next.map_or("empty".to_owned(), |(table, ..)| of(table)))
                }
                Shadowed::Leaf { to, protected } => {
                    let at = self.config.layout().guest_address(to.start());
                    let name = at.map_or("astray".to_owned(), |at| self.name(at));
                    format!("leaf {name}{}", if *protected { " protected" } else { "" })
                }
            };
            let line = format!("{}@{}[{index}] {what}", of(table), table.level.number());
            let _ = writeln!(self.said, "{line}");
        }
    }
}

/// Takes `name=value` to `config`.
fn configure<A: Arch>(config: &mut Config<A::Regime>, word: &str) {
    let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("no setting: {word}"));
    match name {
        "frames" => config.frames = number(value) as u32,
        "contexts" => config.contexts = number(value) as u16,
        "ram" => config.ram = number(value.trim_end_matches('M')) << 20,
        "with" => config.switches = config.switches.with(switch(value)),
        "without" => config.switches = config.switches.without(switch(value)),
        "around" => config.around = Some(number(value) as u8),
        "base" => config.base = hex(value),
        "backing" => config.backing = hex(value),
        "largest" => {
            config.largest = match value {
                "4k" => Level::PAGE,
                "2m" => Level::BLOCK_2M,
                _ => Level::BLOCK_1G,
            }
        }
        _ => assert!(A::configure(&mut config.regime, name, value), "no setting {name}"),
    }
}

/// The switch of that name.
fn switch(name: &str) -> Switch {
    let found = Switch::ALL.into_iter().find(|switch| switch.name() == name);
    found.unwrap_or_else(|| panic!("no switch {name}"))
}

/// A decimal number, or a hexadecimal one with `0x`.
pub(crate) fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(text) => hex(text),
        None => text.parse().unwrap_or_else(|_| panic!("no number: {text}")),
    }
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16)
        .unwrap_or_else(|_| panic!("no number: {text}"))
}
