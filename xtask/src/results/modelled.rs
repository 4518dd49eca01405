//! What the model says of the rows of a guest's work.

use mmu_model::counts::{Output, Part};

use super::{Cell, Modelled, Work};
use crate::mmu;

impl Cell {
    /// What the model says of a row in one of its runs: the phases that belong to it, as one.
    pub(crate) fn part_of(&self, output: &Output, work: &Work) -> Option<Part> {
        self.in_phases(&work.row, work.title.as_deref(), |belongs| {
            mmu::sum(output.parts.iter().filter(|part| belongs(&part.phase)))
        })
    }

    /// How many operations the phases of a row had, where a hypervisor counted them.
    pub(crate) fn operations_of(&self, work: &Work) -> Option<u64> {
        let phases = &self.report.as_ref()?.phases;
        self.in_phases(&work.row, work.title.as_deref(), |belongs| {
            let of_row = phases.iter().filter(|phase| belongs(&phase.name));
            Some(of_row.map(|phase| phase.ops).sum()).filter(|&operations| operations > 0)
        })
    }

    /// The modelled run with blocks of this size; where blocks do not matter, with none.
    pub(crate) fn modelled(&self, block: Option<u32>) -> Option<&Modelled> {
        self.models.iter().find(|modelled| modelled.block == block)
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::Paging;
    use crate::computer::Computer;
    use crate::lab::Mode;
    use crate::report::Phase;
    use crate::results::tests::{cell, modelled};

    #[test]
    fn rows_find_their_parts() {
        let mut cell = cell(Computer::Virt, Mode::Under(Paging::Nested), 1);
        cell.models = vec![modelled(Some(12)), modelled(Some(21))];
        let modelled = cell.modelled(Some(21)).unwrap();
        assert_eq!(cell.modelled(None), None);
        let work = cell.work();
        let part = cell.part_of(&modelled.output, &work[0]).unwrap();
        assert_eq!((part.phase.as_str(), part.exits), ("", 2));
        let phase = |name: &str, ops| Phase { name: name.to_owned(), ops, exits: 0, time: None };
        assert_eq!(cell.operations_of(&work[0]), None);
        cell.report.as_mut().unwrap().phases = vec![phase("all-first", 1), phase("all-later", 3)];
        assert_eq!(cell.operations_of(&work[0]), Some(4));
    }
}
