//! The driver's system calls, on a disk in memory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use driver_filesystem::system_calls::{Access, Kind, Place, Status, SystemCalls};
use parking_lot::{Mutex, MutexGuard};
use rustix::io::Errno;

use super::image::FileNode;
use super::machine::{Handle, Machine};
use super::{Effect, Event, Image, Node, NodeId, TOP};

/// A disk, and the kernel above it. A clone is the same machine, for another process.
#[derive(Clone)]
pub(crate) struct SimulatedDisk {
    machine: Arc<Mutex<Machine>>,
    habit: Habit,
    fate: Fate,
    /// How many changing calls this process has made.
    calls: Arc<AtomicUsize>,
}

/// What is wrong with the system calls; a drill that does not notice it is blind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Nothing.
    Faithful,
    /// As on file systems that can't rename without replacing, which is allowed.
    WithoutNoreplace,
    OmitsFileSync,
    OmitsDirectorySync,
    /// Files are synced after the next rename instead of before it.
    SyncsFilesTooLate,
}

/// What happens to a process. Calls are those that change the disk or sync it, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lives,
    /// It is killed before this call; what its destructors try does not happen.
    DiesBefore(usize),
    /// This call fails for lack of room.
    FailsAt(usize),
    /// From this call on there is no room; what takes none succeeds.
    RunsFullAt(usize),
}

/// Whether a call takes room on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Room,
    NoRoom,
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedDisk").field("habit", &self.habit).field("fate", &self.fate).finish_non_exhaustive()
    }
}

impl SimulatedDisk {
    /// A machine that starts with what is on a disk.
    pub(crate) fn start(image: Image, habit: Habit) -> Self {
        Self { machine: Arc::new(Mutex::new(Machine::start(image))), habit, fate: Fate::Lives, calls: Arc::default() }
    }

    /// The same machine for another process.
    pub(crate) fn process(&self, fate: Fate) -> Self {
        Self { fate, calls: Arc::default(), ..self.clone() }
    }

    /// Notes something between two calls.
    pub(crate) fn mark(&self, mark: usize) {
        self.machine.lock().log.push(Event::Mark(mark));
    }

    /// Writes everything back and begins a new record; answers with what is on the disk.
    pub(crate) fn settle(&self) -> Image {
        let mut machine = self.machine.lock();
        machine.log.clear();
        machine.image.clone()
    }

    /// What was recorded since the disk was last settled.
    pub(crate) fn take_log(&self) -> Vec<Event> {
        std::mem::take(&mut self.machine.lock().log)
    }

    /// The names below an absolute path, from there, and whether each is a directory.
    pub(crate) fn names_below(&self, path: &Path) -> Vec<(String, bool)> {
        let machine = self.machine.lock();
        let Some(top) = machine.image.find(path) else { return Vec::new() };
        let found = machine.image.below(top).into_iter();
        found.map(|(path, node)| (path, machine.image.names(node).is_some())).collect()
    }

    /// How many bytes the files have that are named or open.
    pub(crate) fn bytes_used(&self) -> usize {
        let machine = self.machine.lock();
        let held = machine.held();
        held.into_iter().filter_map(|node| machine.image.file(node)).map(FileNode::length).sum()
    }

    /// Whether the call has come that this process fails at, or dies before.
    pub(crate) fn has_met_its_fate(&self) -> bool {
        match self.fate {
            Fate::Lives => false,
            Fate::DiesBefore(call) => self.calls.load(Ordering::Relaxed) >= call,
            Fate::FailsAt(call) | Fate::RunsFullAt(call) => self.calls.load(Ordering::Relaxed) > call,
        }
    }

    fn look(&self) -> io::Result<MutexGuard<'_, Machine>> {
        match self.fate {
            Fate::DiesBefore(_) if self.has_met_its_fate() => Err(Errno::IO.into()),
            _ => Ok(self.machine.lock()),
        }
    }

    fn change(&self, needs: Needs) -> io::Result<MutexGuard<'_, Machine>> {
        let machine = self.look()?;
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.fate {
            Fate::FailsAt(at) if call == at => Err(Errno::NOSPC.into()),
            Fate::RunsFullAt(from) if call >= from && needs == Needs::Room => Err(Errno::NOSPC.into()),
            _ => Ok(machine),
        }
    }

    fn open(&self, mut machine: MutexGuard<'_, Machine>, node: NodeId) -> Handle {
        let id = machine.opened(node);
        Handle { machine: Arc::clone(&self.machine), node, id }
    }
}

impl SystemCalls for SimulatedDisk {
    type File = Handle;
    type Directory = Handle;

    fn now(&self) -> SystemTime {
        let mut machine = self.machine.lock();
        machine.seconds += 1;
        machine.time()
    }

    fn open_root(&self, path: &Path) -> io::Result<Handle> {
        let machine = self.look()?;
        let node = machine.walk(TOP, path)?;
        machine.names(node)?;
        Ok(self.open(machine, node))
    }

    fn open_directory(&self, at: &Handle, path: &Path) -> io::Result<Handle> {
        let machine = self.look()?;
        let node = machine.walk(at.node, path)?;
        machine.names(node)?;
        Ok(self.open(machine, node))
    }

    fn open_file(&self, at: &Handle, path: &Path, access: Access) -> io::Result<Handle> {
        let machine = self.look()?;
        let node = machine.walk(at.node, path)?;
        if access == Access::Write && machine.image.file(node).is_none() {
            return Err(Errno::ISDIR.into());
        }
        Ok(self.open(machine, node))
    }

    fn create_file(&self, place: Place<'_, Handle>) -> io::Result<Handle> {
        let mut machine = self.change(Needs::Room)?;
        machine.vacant(place)?;
        let node = Node::File(FileNode::new(machine.time()));
        let node = machine.make(node);
        machine.give_name(place, Some(node));
        Ok(self.open(machine, node))
    }

    fn close(&self, file: Handle) -> io::Result<()> {
        // A closed descriptor is gone, whatever the call tells.
        self.change(Needs::Room).map(drop)?;
        drop(file);
        Ok(())
    }

    fn read_at(&self, file: &Handle, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let machine = self.look()?;
        let content = machine.image.file(file.node).ok_or(Errno::ISDIR)?.content();
        let rest = &content[content.len().min(offset as usize)..];
        let read = &rest[..rest.len().min(buffer.capacity() - buffer.len())];
        buffer.extend_from_slice(read);
        Ok(read.len())
    }

    fn write_at(&self, file: &Handle, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut machine = self.change(Needs::Room)?;
        let mut offset = offset as usize;
        // Two pages, so that the one may reach the disk without the other.
        for bytes in bytes.chunks(bytes.len().div_ceil(2).max(1)) {
            machine.happen(Effect::Bytes { file: file.node, offset, bytes: bytes.to_owned() });
            offset += bytes.len();
            machine.happen(Effect::Length { file: file.node, least: offset });
        }
        Ok(bytes.len())
    }

    fn set_length(&self, file: &Handle, length: u64) -> io::Result<()> {
        let mut machine = self.change(Needs::NoRoom)?;
        machine.happen(Effect::Cut { file: file.node, length: length as usize });
        Ok(())
    }

    fn set_modified(&self, file: &Handle, time: SystemTime) -> io::Result<()> {
        let mut machine = self.change(Needs::NoRoom)?;
        machine.happen(Effect::Modified { file: file.node, time });
        Ok(())
    }

    fn sync_file(&self, file: &Handle) -> io::Result<()> {
        let mut machine = self.change(Needs::Room)?;
        match self.habit {
            Habit::OmitsFileSync => {}
            Habit::SyncsFilesTooLate => machine.synced_late.push(file.node),
            _ => machine.log.push(Event::Synced(file.node)),
        }
        Ok(())
    }

    fn sync_directory(&self, directory: &Handle) -> io::Result<()> {
        let mut machine = self.change(Needs::Room)?;
        if self.habit != Habit::OmitsDirectorySync {
            machine.log.push(Event::Synced(directory.node));
        }
        Ok(())
    }

    fn lock(&self, file: &Handle) -> io::Result<bool> {
        let mut machine = self.look()?;
        Ok(*machine.locks.entry(file.node).or_insert(file.id) == file.id)
    }

    fn file_status(&self, file: &Handle) -> io::Result<Status> {
        Ok(self.look()?.status(file.node))
    }

    fn directory_status(&self, directory: &Handle) -> io::Result<Status> {
        Ok(self.look()?.status(directory.node))
    }

    fn status_at(&self, at: &Handle, path: &Path) -> io::Result<Status> {
        let machine = self.look()?;
        Ok(machine.status(machine.walk(at.node, path)?))
    }

    fn read_directory(
        &self,
        directory: &Handle,
        each: &mut dyn FnMut(&OsStr, Kind) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let names = self.look()?.names(directory.node)?.clone();
        for (name, node) in names {
            let kind = self.look()?.status(node).kind;
            if each(&name, kind).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn rename(&self, from: Place<'_, Handle>, to: Place<'_, Handle>) -> io::Result<()> {
        self.change(Needs::Room)?.rename(from, to)
    }

    fn rename_noreplace(&self, from: Place<'_, Handle>, to: Place<'_, Handle>) -> io::Result<()> {
        let mut machine = self.change(Needs::Room)?;
        if self.habit == Habit::WithoutNoreplace {
            return Err(Errno::INVAL.into());
        }
        machine.named(from)?;
        machine.vacant(to)?;
        machine.rename(from, to)
    }

    fn link(&self, from: Place<'_, Handle>, to: Place<'_, Handle>) -> io::Result<()> {
        let mut machine = self.change(Needs::Room)?;
        let node = machine.named(from)?;
        machine.vacant(to)?;
        machine.give_name(to, Some(node));
        Ok(())
    }

    fn make_directory(&self, place: Place<'_, Handle>) -> io::Result<()> {
        let mut machine = self.change(Needs::Room)?;
        machine.vacant(place)?;
        let node = machine.make(Node::Directory(BTreeMap::new()));
        machine.give_name(place, Some(node));
        Ok(())
    }

    fn remove_file(&self, place: Place<'_, Handle>) -> io::Result<()> {
        let mut machine = self.change(Needs::NoRoom)?;
        let node = machine.named(place)?;
        if machine.image.file(node).is_none() {
            return Err(Errno::ISDIR.into());
        }
        machine.give_name(place, None);
        Ok(())
    }

    fn remove_directory(&self, place: Place<'_, Handle>) -> io::Result<()> {
        let mut machine = self.change(Needs::NoRoom)?;
        let node = machine.named(place)?;
        if !machine.names(node)?.is_empty() {
            return Err(Errno::NOTEMPTY.into());
        }
        machine.give_name(place, None);
        Ok(())
    }
}
