//! What a store should hold: before a step, after it, and while nobody knows whether it happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use conformance::payload::{Content, explain};
use driver_api::{Bytes, StoragePath};
use fastrand::Rng;

use crate::step::{End, Step};

/// The files and kept sessions that acknowledged steps have left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) files: BTreeMap<StoragePath, Content>,
    pub(crate) sessions: BTreeMap<StoragePath, Kept>,
}

/// A kept session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) content: Content,
    /// False once it was cancelled or abandoned: the contract does not say that this survives a crash (DUR-1), so the
    /// session may come back, unless another one is kept in its place.
    pub(crate) certain: bool,
}

/// What a driver shows of a store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    pub(crate) files: BTreeMap<StoragePath, Bytes>,
    pub(crate) sessions: BTreeMap<StoragePath, u64>,
}

impl Observed {
    /// How many bytes files and sessions have.
    pub(crate) fn bytes(&self) -> usize {
        self.files.values().map(Bytes::len).sum::<usize>() + self.sessions.values().sum::<u64>() as usize
    }
}

impl World {
    /// The world once `step` was acknowledged.
    pub(crate) fn after(&self, step: &Step) -> Self {
        let mut world = self.clone();
        match step {
            Step::Put { path, content, if_absent } => {
                if !(*if_absent && world.files.contains_key(path)) {
                    world.files.insert(path.clone(), *content);
                }
            }
            Step::Write { path, content, end, .. } => match end {
                End::Close => drop(world.sessions.insert(path.clone(), Kept { content: *content, certain: true })),
                End::Cancel => world.give_up(path),
                End::Commit { to } => {
                    world.sessions.retain(|session, kept| session != path || !kept.certain);
                    world.files.insert(to.as_ref().unwrap_or(path).clone(), *content);
                }
            },
            Step::Move { from, to } => {
                if let Some(content) = world.files.remove(from) {
                    world.files.insert(to.clone(), content);
                }
            }
            Step::Delete { path } => drop(world.files.remove(path)),
            Step::DeleteTree { path } => {
                world.files.retain(|file, _| file != path && !file.is_below(path));
                let stays = |session: &StoragePath| session != path && !session.is_below(path);
                world.sessions.retain(|session, kept| stays(session) || !kept.certain);
            }
            Step::Abandon { path } => world.give_up(path),
            Step::Sweep => {}
        }
        world
    }

    fn give_up(&mut self, path: &StoragePath) {
        if let Some(kept) = self.sessions.get_mut(path) {
            kept.certain = false;
        }
    }

    /// A step that succeeds in this world. `write` numbers the content it brings, and `paths` are those it may bring it to,
    /// none below another.
    pub(crate) fn random_step(&self, rng: &mut Rng, write: u64, paths: &[impl AsRef<str>]) -> Step {
        let any = |rng: &mut Rng| StoragePath::parse(paths[rng.usize(..paths.len())].as_ref()).unwrap();
        let content = Content { write, size: rng.u64(16..400) };
        let file = rng.choice(self.files.keys()).cloned();
        let sessions = self.sessions.iter().filter(|(_, kept)| kept.certain).collect::<Vec<_>>();
        let session = rng.choice(sessions).map(|(path, kept)| (path.clone(), kept.content));
        let end = match rng.u8(..8) {
            0..3 => End::Close,
            3 => End::Cancel,
            4 => End::Commit { to: Some(any(rng)) },
            _ => End::Commit { to: None },
        };
        match (rng.u8(..16), file, session) {
            (0..3, ..) => Step::Put { path: any(rng), content, if_absent: rng.bool() },
            (3..6, ..) => Step::Write { path: any(rng), resume: false, content, end },
            (6..9, _, Some((path, kept))) => {
                let content = Content { size: kept.size + rng.u64(1..200), ..kept };
                Step::Write { path, resume: true, content, end }
            }
            (9..12, Some(from), _) => {
                let to = any(rng);
                if to == from { Step::Delete { path: from } } else { Step::Move { from, to } }
            }
            (12 | 13, Some(path), _) => Step::Delete { path },
            (14, Some(path), _) => {
                let above: Vec<_> = path.ancestors().filter(|directory| !directory.is_root()).collect();
                Step::DeleteTree { path: rng.choice(above).unwrap_or(path) }
            }
            (15, _, Some((path, _))) if rng.bool() => Step::Abandon { path },
            (15, ..) => Step::Sweep,
            _ => Step::Put { path: any(rng), content, if_absent: false },
        }
    }
}

/// Deep and shallow, alone in their directory and not, and none below another.
pub(crate) const PATHS: [&str; 8] = ["/a", "/b", "/d/x", "/d/y", "/d/e/x", "/f/g/h/x", "/f/g/y", "/.z"];

/// What may be found when a store is opened again.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    before: World,
    after: World,
    /// The steps that may have happened, or only a part of them.
    under_way: Vec<Step>,
}

impl Expectation {
    /// Every step was acknowledged.
    pub(crate) fn settled(world: &World) -> Self {
        Self { before: world.clone(), after: world.clone(), under_way: Vec::new() }
    }

    /// `step` has begun and was not acknowledged.
    pub(crate) fn during(before: &World, step: &Step) -> Self {
        Self { before: before.clone(), after: before.after(step), under_way: vec![step.clone()] }
    }

    /// Another step was acknowledged meanwhile.
    pub(crate) fn then(&self, step: &Step) -> Self {
        Self { before: self.before.after(step), after: self.after.after(step), under_way: self.under_way.clone() }
    }

    /// What holds for several tasks, none of which touches a path of another.
    pub(crate) fn of_all(tasks: &[Self]) -> Self {
        let mut all = Self::settled(&World::default());
        for task in tasks {
            for (world, more) in [(&mut all.before, &task.before), (&mut all.after, &task.after)] {
                world.files.extend(more.files.clone());
                world.sessions.extend(more.sessions.clone());
            }
            all.under_way.extend_from_slice(&task.under_way);
        }
        all
    }

    /// What is wrong with what is found; empty where it may be so.
    pub(crate) fn differences(&self, found: &Observed) -> Vec<String> {
        let mut differences = Vec::new();
        let paths = self.before.files.keys().chain(self.after.files.keys()).chain(found.files.keys());
        for path in paths.collect::<BTreeSet<_>>() {
            let allowed = [self.before.files.get(path), self.after.files.get(path)];
            let is_allowed = match found.files.get(path) {
                None => allowed.contains(&None),
                Some(bytes) => allowed.iter().flatten().any(|content| content.is(bytes)),
            };
            if !is_allowed {
                differences.push(format!("{path}: {}", unexpected(allowed, found.files.get(path))));
            }
        }
        let sessions = self.before.sessions.keys().chain(self.after.sessions.keys()).chain(found.sessions.keys());
        for path in sessions.collect::<BTreeSet<_>>() {
            let is_allowed = match found.sessions.get(path) {
                None => self.session_may_be_gone(path),
                Some(size) => self.session_contents(path, *size).next().is_some(),
            };
            if !is_allowed {
                let due = [self.before.sessions.get(path), self.after.sessions.get(path)];
                differences.push(format!("session {path}: expected {due:?}, found {:?}", found.sessions.get(path)));
            }
        }
        differences.extend(self.lost_on_the_way(found));
        differences
    }

    fn session_may_be_gone(&self, path: &StoragePath) -> bool {
        // A writer that begins anew gives up what was kept as soon as it is opened.
        let replaces = |step: &Step| matches!(step, Step::Write { path: at, resume: false, .. } if at == path);
        let replaced = self.under_way.iter().any(replaces);
        let gone = |world: &World| world.sessions.get(path).is_none_or(|kept| !kept.certain);
        replaced || gone(&self.before) || gone(&self.after)
    }

    /// What a session that is found with `size` bytes may consist of.
    pub(crate) fn session_contents(&self, path: &StoragePath, size: u64) -> impl Iterator<Item = Content> {
        let kept = self.before.sessions.get(path).map(|kept| kept.content);
        let accepted = self.under_way.iter().find_map(|step| match step {
            Step::Write { path: at, resume: true, content, .. } if at == path => Some(content.size),
            _ => None,
        });
        // WRITE-15: between what was last kept and what was accepted.
        let between = kept.zip(accepted).filter(|(kept, accepted)| (kept.size..=*accepted).contains(&size));
        let between = between.map(|(kept, _)| Content { size, ..kept });
        let after = self.after.sessions.get(path).map(|kept| kept.content);
        [kept, after, between].into_iter().flatten().filter(move |content| content.size == size)
    }

    /// MOVE-6, and the same of a commit: what is gone from where it was has arrived where it goes.
    fn lost_on_the_way(&self, found: &Observed) -> impl Iterator<Item = String> {
        let transfers = self.under_way.iter().filter_map(|step| match step {
            Step::Move { from, to } => Some((found.files.contains_key(from), to)),
            Step::Write { path, resume: true, end: End::Commit { to }, .. } => {
                Some((found.sessions.contains_key(path), to.as_ref().unwrap_or(path)))
            }
            _ => None,
        });
        transfers.filter_map(|(is_at_source, to)| {
            let content = self.after.files.get(to)?;
            let is_at_target = found.files.get(to).is_some_and(|bytes| content.is(bytes));
            let lost = !is_at_source && !is_at_target;
            lost.then(|| format!("{to}: {content} is neither there nor where it was"))
        })
    }

    /// The world that is found, which is one of those expected.
    pub(crate) fn resolve(&self, found: &Observed) -> World {
        let mut world = World::default();
        for (path, bytes) in &found.files {
            let allowed = [&self.before, &self.after].into_iter().filter_map(|world| world.files.get(path));
            world.files.extend(allowed.filter(|content| content.is(bytes)).map(|content| (path.clone(), *content)));
        }
        for (path, size) in &found.sessions {
            let content = self.session_contents(path, *size).next();
            world.sessions.extend(content.map(|content| (path.clone(), Kept { content, certain: true })));
        }
        world
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begun: Vec<String> = self.under_way.iter().map(Step::to_string).collect();
        if begun.is_empty() { f.write_str("acknowledged") } else { write!(f, "under way: {}", begun.join("; ")) }
    }
}

fn unexpected(allowed: [Option<&Content>; 2], found: Option<&Bytes>) -> String {
    let contents: Vec<Content> = allowed.into_iter().flatten().copied().collect();
    match found {
        Some(bytes) => explain(bytes, 0, &contents),
        None => format!(
            "expected {}; found no file",
            contents.iter().map(Content::to_string).collect::<Vec<_>>().join(" or ")
        ),
    }
}
