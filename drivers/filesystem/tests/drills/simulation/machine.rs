//! The running machine: what its kernel knows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use driver_filesystem::system_calls::{FileId, Kind, Place, Status};
use parking_lot::Mutex;
use rustix::io::Errno;

use super::{Effect, Event, Image, Naming, Node, NodeId, TOP};

/// The kernel: what its caches hold, what is open, and the record.
pub(crate) struct Machine {
    pub(super) image: Image,
    pub(super) log: Vec<Event>,
    /// The time of day; it goes on when somebody asks for it.
    pub(super) seconds: u64,
    handles: u64,
    /// How often each node is open.
    open: HashMap<NodeId, usize>,
    /// Which handle has the lock of a file.
    pub(super) locks: HashMap<NodeId, u64>,
    /// Inode numbers; the lowest free one is given out again, as some file systems do.
    numbers: HashMap<NodeId, u64>,
    changed: HashMap<NodeId, SystemTime>,
    /// Files whose sync waits for the next rename.
    pub(super) synced_late: Vec<NodeId>,
}

/// An open file or directory.
pub(crate) struct Handle {
    pub(super) machine: Arc<Mutex<Machine>>,
    pub(super) node: NodeId,
    pub(super) id: u64,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.node)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.machine.lock().closed(self.node, self.id);
    }
}

impl Machine {
    pub(super) fn start(image: Image) -> Self {
        let numbers = (0..image.len()).map(|node| (node, node as u64 + 1)).collect();
        Self {
            image,
            log: Vec::new(),
            seconds: 1_000_000,
            handles: 0,
            open: HashMap::new(),
            locks: HashMap::new(),
            numbers,
            changed: HashMap::new(),
            synced_late: Vec::new(),
        }
    }

    pub(super) fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds)
    }

    pub(super) fn make(&mut self, node: Node) -> NodeId {
        self.log.push(Event::Made(node.clone()));
        let made = self.image.make(node);
        let held = self.held();
        self.numbers.retain(|node, _| held.contains(node));
        let used: HashSet<u64> = self.numbers.values().copied().collect();
        let free = (1..).find(|number| !used.contains(number));
        self.numbers.extend(free.map(|number| (made, number)));
        made
    }

    pub(super) fn happen(&mut self, effect: Effect) {
        self.image.apply(&effect);
        if let Effect::Names(namings) = &effect {
            let time = self.time();
            self.changed.extend(namings.iter().map(|naming| (naming.directory, time)));
        }
        self.log.push(Event::Changed(effect));
    }

    pub(super) fn give_name(&mut self, place: Place<'_, Handle>, node: Option<NodeId>) {
        self.happen(Effect::Names(vec![naming(place, node)]));
    }

    /// What is named or open, and takes room.
    pub(super) fn held(&self) -> HashSet<NodeId> {
        let mut held = self.image.named();
        held.extend(self.open.keys());
        held.insert(TOP);
        held
    }

    /// Counts a new handle, and numbers it.
    pub(super) fn opened(&mut self, node: NodeId) -> u64 {
        self.handles += 1;
        *self.open.entry(node).or_default() += 1;
        self.handles
    }

    fn closed(&mut self, node: NodeId, id: u64) {
        if self.locks.get(&node) == Some(&id) {
            self.locks.remove(&node);
        }
        if let Some(open) = self.open.get_mut(&node) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&node);
            }
        }
    }

    pub(super) fn names(&self, node: NodeId) -> io::Result<&BTreeMap<OsString, NodeId>> {
        Ok(self.image.names(node).ok_or(Errno::NOTDIR)?)
    }

    pub(super) fn walk(&self, at: NodeId, path: &Path) -> io::Result<NodeId> {
        path.iter()
            .filter(|name| *name != "." && *name != "/")
            .try_fold(at, |node, name| Ok(*self.names(node)?.get(name).ok_or(Errno::NOENT)?))
    }

    pub(super) fn named(&self, place: Place<'_, Handle>) -> io::Result<NodeId> {
        self.walk(place.directory.node, Path::new(place.name))
    }

    /// What has the name already; an error where nothing can, because the directory was removed.
    pub(super) fn present(&self, place: Place<'_, Handle>) -> io::Result<Option<NodeId>> {
        let directory = place.directory.node;
        if directory != TOP && self.image.links(directory) == 0 {
            return Err(Errno::NOENT.into());
        }
        Ok(self.names(directory)?.get(place.name).copied())
    }

    pub(super) fn vacant(&self, place: Place<'_, Handle>) -> io::Result<()> {
        match self.present(place)? {
            Some(_) => Err(Errno::EXIST.into()),
            None => Ok(()),
        }
    }

    pub(super) fn status(&self, node: NodeId) -> Status {
        let (kind, size, modified) = match self.image.node(node) {
            Node::File(file) => (Kind::File, file.length() as u64, file.modified),
            Node::Directory(_) => (Kind::Directory, 0, SystemTime::UNIX_EPOCH),
        };
        Status {
            kind,
            id: FileId { device: 1, inode: self.numbers.get(&node).copied().unwrap_or(0) },
            size,
            links: self.image.links(node) as u64,
            modified,
            changed: self.changed.get(&node).copied().unwrap_or(SystemTime::UNIX_EPOCH),
            // All within one tick of the kernel's clock: nothing tells a number that came again.
            born: Some(SystemTime::UNIX_EPOCH),
        }
    }

    pub(super) fn rename(&mut self, from: Place<'_, Handle>, to: Place<'_, Handle>) -> io::Result<()> {
        let node = self.named(from)?;
        if let Some(replaced) = self.present(to)? {
            match (self.image.names(node), self.image.names(replaced)) {
                _ if node == replaced => return Ok(()),
                (None, Some(_)) => return Err(Errno::ISDIR.into()),
                (Some(_), None) => return Err(Errno::NOTDIR.into()),
                (Some(_), Some(names)) if !names.is_empty() => return Err(Errno::NOTEMPTY.into()),
                _ => {}
            }
        }
        self.happen(Effect::Names(vec![naming(from, None), naming(to, Some(node))]));
        for file in std::mem::take(&mut self.synced_late) {
            self.log.push(Event::Synced(file));
        }
        Ok(())
    }
}

fn naming(place: Place<'_, Handle>, node: Option<NodeId>) -> Naming {
    Naming { directory: place.directory.node, name: place.name.to_owned(), node }
}
