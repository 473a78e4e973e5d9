//! Which transitions of the model a run took, and how each was answered.

use std::collections::BTreeMap;
use std::fmt;

/// A call as it was used, the outcome, and the situation in which the model saw it.
pub(super) type Transition = (&'static str, &'static str, &'static str);

/// How often each transition was taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage(BTreeMap<Transition, u64>);

impl Coverage {
    pub(super) fn count(&mut self, transition: Transition) {
        *self.0.entry(transition).or_default() += 1;
    }

    /// How often `transition` was taken.
    #[cfg(test)]
    pub(super) fn of(&self, transition: Transition) -> u64 {
        self.0.get(&transition).copied().unwrap_or(0)
    }

    /// Every transition that was taken, with how often.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Transition, u64)> {
        self.0.iter().map(|(transition, count)| (*transition, *count))
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((call, outcome, situation), count) in self.iter() {
            writeln!(f, "{count:8}  {call}: {outcome}, {situation}")?;
        }
        Ok(())
    }
}
