//! What is on a disk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// Which file or directory; never used again.
pub(crate) type NodeId = usize;

/// The directory at `/`.
pub(crate) const TOP: NodeId = 0;

/// A file or a directory.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    File(FileNode),
    Directory(BTreeMap<OsString, NodeId>),
}

/// A file. Bytes and length are written back apart: bytes behind the length do not show, and where bytes are missing up to
/// the length there are zeros.
#[derive(Debug, Clone)]
pub(crate) struct FileNode {
    bytes: Vec<u8>,
    length: usize,
    pub(crate) modified: SystemTime,
}

impl FileNode {
    pub(crate) fn new(modified: SystemTime) -> Self {
        Self { bytes: Vec::new(), length: 0, modified }
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// What shows of the file.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = self.bytes.clone();
        content.resize(self.length, 0);
        content
    }
}

/// A name in a directory, and what it stands for from now on; none where it is taken away.
#[derive(Clone)]
pub(crate) struct Naming {
    pub(crate) directory: NodeId,
    pub(crate) name: OsString,
    pub(crate) node: Option<NodeId>,
}

impl Naming {
    pub(crate) fn is_of_the_same_name(&self, other: &Self) -> bool {
        self.directory == other.directory && self.name == other.name
    }
}

/// A change that is written back whole or not at all.
#[derive(Clone)]
pub(crate) enum Effect {
    /// Names, several at once for a rename.
    Names(Vec<Naming>),
    Bytes {
        file: NodeId,
        offset: usize,
        bytes: Vec<u8>,
    },
    /// The file is at least this long.
    Length {
        file: NodeId,
        least: usize,
    },
    /// The file is exactly this long.
    Cut {
        file: NodeId,
        length: usize,
    },
    Modified {
        file: NodeId,
        time: SystemTime,
    },
}

impl Effect {
    /// Whether a sync of `node` makes this durable.
    pub(crate) fn concerns(&self, node: NodeId) -> bool {
        match self {
            Self::Names(namings) => namings.iter().any(|naming| naming.directory == node),
            Self::Bytes { file, .. }
            | Self::Length { file, .. }
            | Self::Cut { file, .. }
            | Self::Modified { file, .. } => *file == node,
        }
    }
}

impl fmt::Debug for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}/{} = ", self.directory, self.name.display())?;
        match self.node {
            Some(node) => write!(f, "#{node}"),
            None => f.write_str("nothing"),
        }
    }
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(namings) => f.debug_list().entries(namings).finish(),
            Self::Bytes { file, offset, bytes } => write!(f, "#{file}: {} bytes at {offset}", bytes.len()),
            Self::Length { file, least } => write!(f, "#{file}: length {least} or more"),
            Self::Cut { file, length } => write!(f, "#{file}: length {length}"),
            Self::Modified { file, .. } => write!(f, "#{file}: date"),
        }
    }
}

/// Files, directories, and what they are called. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    nodes: Vec<Arc<Node>>,
}

impl Image {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Arc::new(Node::Directory(BTreeMap::new()))] }
    }

    /// Adds a node that has no name.
    pub(crate) fn make(&mut self, node: Node) -> NodeId {
        self.nodes.push(Arc::new(node));
        self.nodes.len() - 1
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node]
    }

    /// The file, if it is one.
    pub(crate) fn file(&self, node: NodeId) -> Option<&FileNode> {
        match self.node(node) {
            Node::File(file) => Some(file),
            Node::Directory(_) => None,
        }
    }

    /// The names in the directory, if it is one.
    pub(crate) fn names(&self, node: NodeId) -> Option<&BTreeMap<OsString, NodeId>> {
        match self.node(node) {
            Node::Directory(names) => Some(names),
            Node::File(_) => None,
        }
    }

    /// How many names a node has.
    pub(crate) fn links(&self, node: NodeId) -> usize {
        self.all_names().filter(|named| *named == node).count()
    }

    /// Every node that has a name.
    pub(crate) fn named(&self) -> HashSet<NodeId> {
        self.all_names().collect()
    }

    fn all_names(&self) -> impl Iterator<Item = NodeId> {
        (0..self.len()).filter_map(|directory| self.names(directory)).flat_map(BTreeMap::values).copied()
    }

    pub(crate) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Names(namings) => namings.iter().for_each(|naming| self.name(naming)),
            Effect::Bytes { file, offset, bytes } => {
                let held = &mut self.file_mut(*file).bytes;
                let end = offset + bytes.len();
                if held.len() < end {
                    held.resize(end, 0);
                }
                held[*offset..end].copy_from_slice(bytes);
            }
            Effect::Length { file, least } => {
                let file = self.file_mut(*file);
                file.length = file.length.max(*least);
            }
            Effect::Cut { file, length } => {
                let file = self.file_mut(*file);
                file.bytes.truncate(*length);
                file.length = *length;
            }
            Effect::Modified { file, time } => self.file_mut(*file).modified = *time,
        }
    }

    fn name(&mut self, naming: &Naming) {
        let Node::Directory(names) = Arc::make_mut(&mut self.nodes[naming.directory]) else {
            panic!("{naming:?}: no directory")
        };
        match naming.node {
            Some(node) => names.insert(naming.name.clone(), node),
            None => names.remove(&naming.name),
        };
    }

    fn file_mut(&mut self, file: NodeId) -> &mut FileNode {
        match Arc::make_mut(&mut self.nodes[file]) {
            Node::File(node) => node,
            Node::Directory(_) => panic!("#{file}: no file"),
        }
    }

    /// What stands at an absolute path.
    pub(crate) fn find(&self, path: &Path) -> Option<NodeId> {
        path.iter().skip(1).try_fold(TOP, |node, name| self.names(node)?.get(name).copied())
    }

    /// Tells everything below a directory, with its path from there.
    pub(crate) fn below(&self, top: NodeId) -> Vec<(String, NodeId)> {
        let mut found = Vec::new();
        self.visit(top, "", &mut |path, node| found.push((path.to_owned(), node)));
        found
    }

    fn visit(&self, directory: NodeId, prefix: &str, each: &mut dyn FnMut(&str, NodeId)) {
        for (name, node) in self.names(directory).into_iter().flatten() {
            let path = format!("{prefix}{}", OsStr::display(name));
            each(&path, *node);
            self.visit(*node, &format!("{path}/"), each);
        }
    }

    /// A number for all that can be reached and seen; equal for equal disks, whatever happened to them.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash_directory(TOP, &mut Vec::new(), &mut hasher);
        hasher.finish()
    }

    fn hash_directory(&self, directory: NodeId, seen: &mut Vec<NodeId>, hasher: &mut DefaultHasher) {
        for (name, node) in self.names(directory).into_iter().flatten() {
            name.hash(hasher);
            // Tells two names of one file from two files.
            seen.iter().position(|earlier| earlier == node).hash(hasher);
            seen.push(*node);
            match self.node(*node) {
                Node::File(file) => {
                    let shown = &file.bytes[..file.length.min(file.bytes.len())];
                    (0, shown, file.length, file.modified).hash(hasher);
                }
                Node::Directory(_) => {
                    1.hash(hasher);
                    self.hash_directory(*node, seen, hasher);
                }
            }
        }
        2.hash(hasher);
    }

    /// The disk as it is after a start: what can't be reached is gone.
    pub(crate) fn mounted(&self) -> Self {
        let mut mounted = Self::new();
        self.copy_directory(TOP, &mut HashMap::from([(TOP, TOP)]), &mut mounted);
        mounted
    }

    fn copy_directory(&self, from: NodeId, copies: &mut HashMap<NodeId, NodeId>, mounted: &mut Self) {
        for (name, node) in self.names(from).into_iter().flatten() {
            let copy = *copies.entry(*node).or_insert_with(|| {
                mounted.make(match self.node(*node) {
                    Node::File(file) => Node::File(FileNode { bytes: file.content(), ..file.clone() }),
                    Node::Directory(_) => Node::Directory(BTreeMap::new()),
                })
            });
            mounted.name(&Naming { directory: copies[&from], name: name.clone(), node: Some(copy) });
            self.copy_directory(*node, copies, mounted);
        }
    }
}
