//! What is durable, what is pending, and the states that a cut of the power can leave.

use fastrand::Rng;

use super::{Effect, Event, Image};

/// Up to this many pending effects, every subset is a state.
const MOST_FOR_ALL_SUBSETS: usize = 12;

/// The disk below the caches: what is durable, and what the disk may or may not have got yet.
#[derive(Debug, Clone)]
pub(crate) struct WriteBack {
    durable: Image,
    /// In the order in which they happened.
    pending: Vec<Effect>,
}

impl WriteBack {
    /// Nothing is pending.
    pub(crate) fn new(durable: Image) -> Self {
        Self { durable, pending: Vec::new() }
    }

    pub(crate) fn pending(&self) -> &[Effect] {
        &self.pending
    }

    pub(crate) fn follow(&mut self, event: &Event) {
        match event {
            Event::Made(node) => drop(self.durable.make(node.clone())),
            Event::Changed(effect) => self.pending.push(effect.clone()),
            Event::Synced(node) => {
                for effect in std::mem::take(&mut self.pending) {
                    if effect.concerns(*node) {
                        self.make_durable(&effect);
                    } else {
                        self.pending.push(effect);
                    }
                }
            }
            Event::Mark(_) => {}
        }
    }

    /// Earlier pending effects have no say any more in a name that is durable now. What is left of them can be applied later
    /// than this one, though it happened earlier.
    fn make_durable(&mut self, effect: &Effect) {
        if let Effect::Names(durable) = effect {
            self.pending.retain_mut(|earlier| {
                let Effect::Names(namings) = earlier else { return true };
                namings.retain(|naming| !durable.iter().any(|newer| newer.is_of_the_same_name(naming)));
                !namings.is_empty()
            });
        }
        self.durable.apply(effect);
    }

    /// The disk if of the pending effects those marked true were written back.
    pub(crate) fn cut(&self, written: &[bool]) -> Image {
        let mut image = self.durable.clone();
        let applied = self.pending.iter().zip(written).filter(|(_, written)| **written);
        applied.for_each(|(effect, _)| image.apply(effect));
        image
    }
}

/// Whether every subset of so many pending effects is a state.
pub(crate) fn is_every_subset(pending: usize) -> bool {
    pending <= MOST_FOR_ALL_SUBSETS
}

/// Which of the pending effects are written back, one choice after the other: every subset where there are few; else none,
/// all, each one and each two alone or left out, and `samples` random ones.
pub(crate) fn choices(pending: usize, samples: usize, rng: &mut Rng) -> Box<dyn Iterator<Item = Vec<bool>>> {
    if is_every_subset(pending) {
        let subsets = 0..1_u32 << pending;
        return Box::new(subsets.map(move |subset| (0..pending).map(|index| subset >> index & 1 == 1).collect()));
    }
    // Of a pair, both may be the same.
    let pairs = (0..pending).flat_map(move |one| (one..pending).map(move |other| [one, other]));
    let singled_out = pairs.flat_map(move |pair| {
        [true, false].map(|picked| (0..pending).map(|index| pair.contains(&index) == picked).collect())
    });
    let mut rng = rng.fork();
    let random = (0..samples).map(move |_| {
        let density = rng.f64();
        (0..pending).map(|_| rng.f64() < density).collect()
    });
    Box::new([vec![false; pending], vec![true; pending]].into_iter().chain(singled_out).chain(random))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all(pending: usize) -> Vec<Vec<bool>> {
        choices(pending, 10, &mut Rng::with_seed(1)).collect()
    }

    #[test]
    fn few_effects_are_chosen_in_every_way() {
        assert_eq!(all(0), [Vec::new()] as [Vec<bool>; 1]);
        assert_eq!(all(5).into_iter().collect::<HashSet<_>>().len(), 32);
        assert_eq!(all(12).into_iter().collect::<HashSet<_>>().len(), 4096);
    }

    #[test]
    fn many_effects_are_chosen_singly_in_pairs_and_at_random() {
        let pending = 20;
        let choices = all(pending);
        let counts =
            |written: usize| choices.iter().filter(move |choice| choice.iter().filter(|one| **one).count() == written);
        let pairs = pending * (pending - 1) / 2;
        for (written, least) in [(0, 1), (1, pending), (2, pairs), (18, pairs), (19, pending), (20, 1)] {
            assert!(counts(written).collect::<HashSet<_>>().len() >= least, "{written} of {pending}");
        }
        assert_eq!(choices.len(), 2 + 2 * (pending + pairs) + 10);
    }
}
