//! A simulated disk: system calls in memory, recorded, and every state in which a loss of power could leave the disk.
//!
//! - [`Image`] is what is on a disk, or in the caches above it; [`Effect`] is one change of it, the least that is written
//!   back as a whole.
//! - [`SimulatedDisk`] is a running machine: it implements the driver's system calls and records their effects.
//! - [`WriteBack`] follows the record, tells what a sync has made durable, and rebuilds what a cut of the power leaves.
//!
//! The model: a rename happens whole or not at all. Names last once their directory was synced; a rename once either of its
//! directories was. The content of a file lasts once the file was synced, which does not make its name last. What was not
//! synced is written back in any order and any part: bytes may be missing, zeros, or cut short, and a length may last without
//! the bytes.

mod cut;
mod disk;
mod image;
mod machine;

pub(crate) use cut::{WriteBack, choices, is_every_subset};
pub(crate) use disk::{Fate, Habit, SimulatedDisk};
pub(crate) use image::{Effect, Image, Naming, Node, NodeId, TOP};

/// What a [`SimulatedDisk`] records.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A new node, which has no name yet. Nodes are numbered in this order.
    Made(Node),
    /// A change that is not durable yet.
    Changed(Effect),
    /// All changes of a file, or of a directory's names, are durable now.
    Synced(NodeId),
    /// The drill's own note, between two calls.
    Mark(usize),
}
