//! Counts what was tried.

use std::collections::BTreeMap;

use crate::breakage::Breakage;

/// What was tried of a case that is fine.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) erased: usize,
    /// Erasures that failed as the model says.
    pub(crate) refused: usize,
    pub(crate) breakages: BTreeMap<Breakage, usize>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.erased += other.erased;
        self.refused += other.refused;
        for (breakage, count) in other.breakages {
            *self.breakages.entry(breakage).or_default() += count;
        }
    }
}
