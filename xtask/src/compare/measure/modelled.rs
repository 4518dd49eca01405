//! The model of a cell, from runs of its own.
//!
//! Each is a run with probes off that ends as the one that was measured did: the plugin changes nothing, and
//! neither does the size of the blocks that map guest RAM. What a guest prints has every duration in it that it
//! took, so that two consoles that are the same are the same run.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use super::super::plan::Job;
use crate::cli::{Block, Paging};
use crate::computer::Program;
use crate::golden;
use crate::lab::{Lab, Mode, Run};
use crate::mmu::{self, Modelling, Wish};
use crate::results::{Cell, Modelled};
use crate::run::Told;
use crate::setup::emulator::MEMORY;

/// Why there is no model under Bochs.
const NO_PLUGINS: &str = "Bochs has no plugins";

/// What is asked of the model, and what carries it out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model<'a> {
    /// What is asked.
    pub(super) wish: &'a Wish,
    /// The plugin.
    pub(super) plugin: &'a Path,
}

impl Model<'_> {
    /// Fails unless the QEMU of a lab takes the plugin, if there is one.
    pub(super) fn try_out(self, lab: &Lab) -> Result<()> {
        let arch = lab.arch();
        let Ok(emulator) = lab.emulator(Program::Qemu(arch)) else { return Ok(()) };
        let modelling = Modelling::new(self.wish, self.plugin)?;
        let options = modelling.options(arch, MEMORY, true)?;
        emulator.takes(arch, &options).map_err(|messages| {
            anyhow!(
                mmu::refusal(&messages).unwrap_or(format!("QEMU fails with the model: {messages}"))
            )
        })
    }

    /// Fills in what the model says of a cell, or why it says nothing. `console` is of the run that was measured.
    pub(super) fn fill(
        self,
        cell: &mut Cell,
        lab: &Lab,
        job: &Job,
        timeout: Duration,
        console: &str,
    ) -> Result<()> {
        if job.place.computer.program() == Program::Bochs {
            cell.unmodelled = Some(NO_PLUGINS.to_owned());
            return Ok(());
        }
        for block in blocks(job.place.mode) {
            let usual = Run::usual(job.place, &job.guest, timeout);
            let run = Run { block: block.unwrap_or(usual.block), ..usual };
            let modelled = self.once(lab, run, block, console).with_context(|| match block {
                Some(block) => format!("modelled with blocks of {}", block.name()),
                None => "modelled".to_owned(),
            });
            cell.models.push(modelled?);
        }
        Ok(())
    }

    fn once(
        self,
        lab: &Lab,
        run: Run<'_>,
        block: Option<Block>,
        console: &str,
    ) -> Result<Modelled> {
        let modelling = Modelling::new(self.wish, self.plugin)?;
        let (ran, _) = lab.complete(&Run { model: Some(&modelling), ..run })?;
        if let Some((line, without, with)) = golden::first_difference(console, &ran.console) {
            bail!("the plugin changed the run, in line {line}: `{without}` became `{with}`");
        }
        let output = modelling.result()?;
        let told = Told::on(&ran.console);
        Ok(Modelled { block: block.map(Block::shift), ran: told.ran, lines: told.lines, output })
    }
}

/// The blocks with which a mode is modelled, where they matter.
fn blocks(mode: Mode) -> Vec<Option<Block>> {
    match mode {
        Mode::Under(Paging::Nested) => Block::ALL.map(Some).to_vec(),
        Mode::Native | Mode::Under(Paging::Shadow) => vec![None],
    }
}
