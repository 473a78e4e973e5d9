//! What a workload's directory holds once its steps were acknowledged, and which step may come next.

use driver_api::ErrorKind;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::step::{Name, Step};
use crate::payload::Content;

/// A cell at least, so that what is read tells its write; the largest take several pieces.
const SIZES: [u64; 4] = [16, 300, 5000, 150_000];

/// What a workload is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Workload {
    /// Puts, commits, moves and deletes.
    Files {
        /// Some puts are made if absent.
        if_absent: bool,
    },
    /// Sessions that are kept, continued and committed.
    Sessions,
}

/// The files and the kept sessions, each by its [`Name`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct World {
    files: [Option<Content>; Name::ALL.len()],
    sessions: [Option<Content>; Name::ALL.len()],
}

impl World {
    /// A world in which `files` and `sessions` were found.
    pub(crate) fn found(files: impl Fn(Name) -> Option<Content>, sessions: impl Fn(Name) -> Option<Content>) -> Self {
        Self { files: Name::ALL.map(files), sessions: Name::ALL.map(sessions) }
    }

    pub(crate) fn file(&self, name: Name) -> Option<Content> {
        // `ALL` lists the names in the order of their declaration, which a test holds it to.
        self.files[name as usize]
    }

    pub(crate) fn session(&self, name: Name) -> Option<Content> {
        self.sessions[name as usize]
    }

    /// The world once `step` was acknowledged.
    #[must_use]
    pub(crate) fn after(mut self, step: &Step) -> Self {
        match *step {
            Step::Put { name, content, .. } => {
                if self.refusal(step).is_none() {
                    self.files[name as usize] = Some(content);
                }
            }
            Step::Publish { name, content } | Step::Finish { name, content } => {
                self.files[name as usize] = Some(content);
                self.sessions[name as usize] = None;
            }
            Step::Keep { name, content } | Step::Extend { name, content, .. } => {
                self.sessions[name as usize] = Some(content);
            }
            Step::Move { from, to } => self.files[to as usize] = self.files[from as usize].take(),
            Step::Delete { name } => self.files[name as usize] = None,
            Step::DeleteTree | Step::DeleteFiles => {
                Name::TREE.into_iter().for_each(|name| self.files[name as usize] = None);
            }
        }
        self
    }

    /// The answer to `step` where it is right to refuse it.
    pub(crate) fn refusal(&self, step: &Step) -> Option<ErrorKind> {
        match step {
            Step::Put { name, if_absent: true, .. } if self.file(*name).is_some() => Some(ErrorKind::AlreadyExists),
            _ => None,
        }
    }

    /// Whether what `step` takes away is here.
    pub(crate) fn can(&self, step: &Step) -> bool {
        match step {
            Step::Move { from: name, .. } | Step::Delete { name } => self.file(*name).is_some(),
            Step::DeleteTree => Name::TREE.into_iter().any(|name| self.file(name).is_some()),
            Step::Extend { name, .. } | Step::Finish { name, .. } => self.session(*name).is_some(),
            Step::Put { .. } | Step::Publish { .. } | Step::Keep { .. } | Step::DeleteFiles => true,
        }
    }

    /// A step that can be made here. `write` numbers the content it brings.
    pub(crate) fn draw(&self, workload: Workload, random: &mut Rng, write: u64) -> Step {
        match workload {
            Workload::Files { if_absent } => self.draw_change(random, write, if_absent),
            Workload::Sessions => self.draw_session(random, write),
        }
    }

    fn draw_change(&self, random: &mut Rng, write: u64, if_absent: bool) -> Step {
        let content = Content { write, size: SIZES[random.usize(..SIZES.len())] };
        let any = |random: &mut Rng| Name::FILES[random.usize(..Name::FILES.len())];
        let there: Vec<_> = Name::PLAIN.into_iter().filter(|name| self.file(*name).is_some()).collect();
        let there = random.choice(there);
        let tree = Name::TREE.into_iter().any(|name| self.file(name).is_some());
        match (random.u8(..12), there) {
            (0 | 1, Some(from)) => {
                let elsewhere: Vec<_> = Name::PLAIN.into_iter().filter(|name| *name != from).collect();
                Step::Move { from, to: elsewhere[random.usize(..elsewhere.len())] }
            }
            (2, Some(name)) => Step::Delete { name },
            (3, _) if tree => {
                if random.bool() {
                    Step::DeleteTree
                } else {
                    Step::DeleteFiles
                }
            }
            (4..=6, _) => Step::Publish { name: any(random), content },
            _ => Step::Put { name: any(random), content, if_absent: if_absent && random.bool() },
        }
    }

    fn draw_session(&self, random: &mut Rng, write: u64) -> Step {
        let name = Name::SESSIONS[random.usize(..Name::SESSIONS.len())];
        let kept = self.session(name);
        // No two sessions in a row have one size, so that the size found tells which it is.
        let size = kept.map_or(0, |kept| kept.size) + 1 + SIZES[random.usize(..SIZES.len())];
        match (kept, random.u8(..8)) {
            (Some(kept), 0..=3) => Step::Extend { name, from: kept.size, content: Content { size, ..kept } },
            (Some(content), 4 | 5) => Step::Finish { name, content },
            _ => Step::Keep { name, content: Content { write, size } },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_place() {
        for (index, name) in Name::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, index);
        }
    }

    #[test]
    fn drawn_steps_can_be_made_and_meet_every_kind() {
        let mut random = Rng::with_seed(7);
        let mut kinds = std::collections::BTreeSet::new();
        for workload in [Workload::Files { if_absent: true }, Workload::Sessions] {
            let mut world = World::default();
            for write in 1..500 {
                let step = world.draw(workload, &mut random, write);
                kinds.insert(step.to_string().split(' ').next().map(str::to_owned));
                if let Step::Move { from, to } = step {
                    assert!(from != to && world.file(from).is_some());
                }
                if let Step::Extend { from, content, .. } = step {
                    assert!(content.size > from);
                }
                world = world.after(&step);
            }
        }
        assert_eq!(kinds.len(), 6, "{kinds:?}");
    }
}
