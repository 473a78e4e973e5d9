//! What a workload's directory may hold while a step is under way, or was left in the middle, against what is found there.

use bytes::Bytes;
use driver_api::{Context, ErrorKind, GetOptions, ListOptions, Storage, StoragePath};

use super::step::{Name, Step};
use super::world::World;
use crate::case::unfinished;
use crate::check::{Failure, Verdict};
use crate::payload::{Content, explain};

/// What is in a workload's directory.
#[derive(PartialEq, Eq)]
pub(crate) struct Found {
    files: Vec<(Name, Option<Bytes>)>,
    /// What a listing tells of the files, as paths within the directory.
    listed: Vec<String>,
    sessions: Vec<(Name, Option<u64>)>,
}

/// Looks into a workload's directory; at its sessions only where they are `shared` with whoever looks.
pub(crate) async fn look(storage: &Storage, directory: &StoragePath, shared: bool) -> Verdict<Found> {
    let context = &Context::background();
    let mut files = Vec::new();
    for name in Name::ALL {
        let bytes = match storage.get(context, &name.within(directory), GetOptions::default()).await {
            Ok((_, bytes)) => Some(bytes),
            Err(missing) if missing.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        files.push((name, bytes));
    }
    let entries = match storage.list(context, directory, ListOptions::recursive()).await {
        Ok(listing) => listing.collect().await?,
        Err(missing) if missing.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let within = |path: &StoragePath| {
        path.strip_directory(directory).map_or_else(|| path.to_string(), |path| path.relative().to_owned())
    };
    let listed = entries.iter().map(|entry| within(entry.path())).collect();
    let kept = if shared { unfinished(storage, directory).await? } else { Vec::new() };
    let kept_at = |name: Name| kept.iter().find(|session| session.path == name.within(directory));
    let sessions = Name::ALL.map(|name| (name, kept_at(name).map(|session| session.size))).to_vec();
    Ok(Found { files, listed, sessions })
}

/// What may be found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expectation {
    world: World,
    /// A step that has begun and was not acknowledged.
    under_way: Option<Step>,
}

impl Expectation {
    /// Every step was acknowledged, or refused.
    pub(crate) fn settled(world: World) -> Self {
        Self { world, under_way: None }
    }

    /// `step` may have happened, or not.
    pub(crate) fn during(world: World, step: Step) -> Self {
        Self { world, under_way: Some(step) }
    }

    /// The world that is found, where it is one of those expected. What every step had settled counts against `settled`.
    pub(crate) fn judge(&self, found: &Found, settled: &'static str) -> Result<World, Failure> {
        for (name, bytes) in &found.files {
            self.judge_file(*name, bytes.as_ref(), settled)?;
            let is_listed = found.listed.contains(&name.to_string());
            if is_listed != bytes.is_some() {
                let (expected, came) = if is_listed { ("no", "one") } else { ("a", "none") };
                return Err(Failure::new("LIST-1", format_args!("{expected} file {name} in the listing"), came));
            }
        }
        if let Some(foreign) =
            found.listed.iter().find(|listed| Name::ALL.iter().all(|name| name.to_string() != **listed))
        {
            return Err(Failure::new("WRITE-2", "no name in a listing but those of files", foreign));
        }
        for (name, size) in &found.sessions {
            self.judge_session(*name, *size, settled)?;
        }
        let file = |name: Name| {
            let bytes = found.files.iter().find(|(other, _)| *other == name)?.1.as_ref()?;
            self.files(name).into_iter().flatten().find(|content| content.is(bytes))
        };
        let session = |name: Name| {
            let size = found.sessions.iter().find(|(other, _)| *other == name)?.1?;
            self.sessions(name, size).next()
        };
        let world = World::found(file, session);
        self.judge_transfer(&world)?;
        Ok(world)
    }

    /// Why something may be other than the world says.
    fn clause(&self, name: Name, settled: &'static str) -> &'static str {
        self.under_way.filter(|step| step.touches(name)).map_or(settled, |step| step.clause())
    }

    fn after(&self) -> World {
        self.under_way.map_or(self.world, |step| self.world.after(&step))
    }

    fn files(&self, name: Name) -> [Option<Content>; 2] {
        [self.world.file(name), self.after().file(name)]
    }

    fn judge_file(&self, name: Name, found: Option<&Bytes>, settled: &'static str) -> Result<(), Failure> {
        let allowed = self.files(name);
        let contents: Vec<_> = allowed.into_iter().flatten().collect();
        let is_right = match found {
            None => allowed.contains(&None),
            Some(bytes) => contents.iter().any(|content| content.is(bytes)),
        };
        if is_right {
            return Ok(());
        }
        let expected = self.told(name, allowed.map(|content| content.map(|content| content.to_string())), "no file");
        let came = found.map_or("no file".to_owned(), |bytes| explain(bytes, 0, &[]));
        Err(Failure::new(self.clause(name, settled), expected, came))
    }

    fn judge_session(&self, name: Name, found: Option<u64>, settled: &'static str) -> Result<(), Failure> {
        let is_right = match found {
            None => self.session_may_be_gone(name),
            Some(size) => self.sessions(name, size).next().is_some(),
        };
        if is_right {
            return Ok(());
        }
        let due = [self.world.session(name), self.after().session(name)];
        let due = due.map(|kept| kept.map(|content| format!("{} bytes kept", content.size)));
        let came = found.map_or("nothing kept".to_owned(), |size| format!("{size} bytes kept"));
        Err(Failure::new(self.clause(name, settled), self.told(name, due, "nothing kept"), came))
    }

    fn told(&self, name: Name, [before, after]: [Option<String>; 2], none: &str) -> String {
        let [before, after] = [before, after].map(|state| state.unwrap_or_else(|| none.to_owned()));
        if before == after { format!("{name}: {before}") } else { format!("{name}: {before}, or {after}") }
    }

    fn session_may_be_gone(&self, name: Name) -> bool {
        // A writer that begins anew gives up what was kept as soon as it is opened (WRITE-6).
        let begins_anew =
            |step: &Step| matches!(step, Step::Keep { name: at, .. } | Step::Publish { name: at, .. } if *at == name);
        self.world.session(name).is_none()
            || self.after().session(name).is_none()
            || self.under_way.as_ref().is_some_and(begins_anew)
    }

    /// What a session found with `size` bytes may consist of: what was kept, or is to be, and for one that is being continued
    /// whatever is between (WRITE-15).
    fn sessions(&self, name: Name, size: u64) -> impl Iterator<Item = Content> {
        let kept = [self.world.session(name), self.after().session(name)].into_iter().flatten();
        let between = match self.under_way {
            Some(Step::Extend { name: at, from, content }) if at == name && (from..=content.size).contains(&size) => {
                Some(Content { size, ..content })
            }
            _ => None,
        };
        kept.filter(move |content| content.size == size).chain(between)
    }

    /// What is gone from where it was has arrived where it goes.
    fn judge_transfer(&self, found: &World) -> Result<(), Failure> {
        let (source, target) = match self.under_way {
            Some(Step::Move { from, to }) => (found.file(from), to),
            Some(Step::Finish { name, .. }) => (found.session(name), name),
            _ => return Ok(()),
        };
        let (Some(step), Some(content)) = (self.under_way, self.after().file(target)) else { return Ok(()) };
        if source.is_some() || found.file(target) == Some(content) {
            return Ok(());
        }
        Err(Failure::new(step.clause(), format_args!("{content} where it was, or at {target}"), "neither"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Content = Content { write: 1, size: 100 };
    const NEW: Content = Content { write: 2, size: 300 };

    fn found(files: &[(Name, Bytes)], sessions: &[(Name, u64)]) -> Found {
        let file = |name| files.iter().find(|(other, _)| *other == name).map(|(_, bytes)| bytes.clone());
        let kept = |name| sessions.iter().find(|(other, _)| *other == name).map(|(_, size)| *size);
        Found {
            files: Name::ALL.map(|name| (name, file(name))).to_vec(),
            listed: files.iter().map(|(name, _)| name.to_string()).collect(),
            sessions: Name::ALL.map(|name| (name, kept(name))).to_vec(),
        }
    }

    fn world(name: Name, content: Content) -> World {
        World::default().after(&Step::Put { name, content, if_absent: false })
    }

    #[test]
    fn old_or_new_is_right_and_torn_is_not() {
        let put = Step::Put { name: Name::A, content: NEW, if_absent: false };
        let expectation = Expectation::during(world(Name::A, OLD), put);
        for content in [OLD, NEW] {
            let judged = expectation.judge(&found(&[(Name::A, content.bytes())], &[]), "DUR-1").unwrap();
            assert_eq!(judged.file(Name::A), Some(content));
        }
        for bytes in [NEW.bytes().slice(..150), Bytes::new()] {
            let failure = expectation.judge(&found(&[(Name::A, bytes)], &[]), "DUR-1").unwrap_err();
            assert_eq!(failure.clauses, ["PUT-2"]);
        }
        assert!(expectation.judge(&found(&[], &[]), "DUR-1").is_err(), "an overwritten file is never gone");
    }

    #[test]
    fn what_was_acknowledged_is_there() {
        let expectation = Expectation::settled(world(Name::A, OLD));
        assert_eq!(expectation.judge(&found(&[], &[]), "DUR-1").unwrap_err().clauses, ["DUR-1"]);
        let more = found(&[(Name::A, OLD.bytes()), (Name::B, NEW.bytes())], &[]);
        assert_eq!(expectation.judge(&more, "DUR-1").unwrap_err().clauses, ["DUR-1"]);
    }

    #[test]
    fn what_is_moved_is_not_lost_on_the_way() {
        let moved = Step::Move { from: Name::A, to: Name::B };
        let expectation = Expectation::during(world(Name::A, OLD), moved);
        for name in [Name::A, Name::B] {
            assert!(expectation.judge(&found(&[(name, OLD.bytes())], &[]), "DUR-1").is_ok());
        }
        assert_eq!(expectation.judge(&found(&[], &[]), "DUR-1").unwrap_err().clauses, ["MOVE-6"]);
    }

    #[test]
    fn a_session_holds_its_prefix() {
        let name = Name::SessionA;
        let kept = World::default().after(&Step::Keep { name, content: OLD });
        let longer = Content { size: 300, ..OLD };
        let expectation = Expectation::during(kept, Step::Extend { name, from: OLD.size, content: longer });
        for size in [100, 250, 300] {
            let judged = expectation.judge(&found(&[], &[(name, size)]), "DUR-1").unwrap();
            assert_eq!(judged.session(name), Some(Content { size, ..OLD }));
        }
        for sessions in [&[][..], &[(name, 99)], &[(name, 301)]] {
            assert_eq!(expectation.judge(&found(&[], sessions), "DUR-1").unwrap_err().clauses, ["WRITE-15"]);
        }
        let begun_anew = Expectation::during(kept, Step::Keep { name, content: NEW });
        assert!(begun_anew.judge(&found(&[], &[]), "DUR-1").is_ok());
        assert!(begun_anew.judge(&found(&[], &[(name, 200)]), "DUR-1").is_err(), "partial content shows");
    }

    #[test]
    fn names_that_nobody_wrote_are_seen() {
        let mut strange = found(&[], &[]);
        strange.listed.push("~staged".to_owned());
        let judged = Expectation::settled(World::default()).judge(&strange, "DUR-1");
        assert_eq!(judged.unwrap_err().clauses, ["WRITE-2"]);
    }
}
