//! One change of a store, as data that can be told, sent to another process, and made again.

use std::fmt;

use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, Error, PutOptions, Storage, StoragePath, WriteMode, WriteOptions,
    Writer,
};
use serde::{Deserialize, Serialize};

use crate::case::path;
use crate::payload::{Content, payload_range};

/// How much of a writer's bytes is given to it at once: more than what a writer gathers, so that each piece reaches the driver.
const PIECE: u64 = 70_000;

/// The files of a directory that a workload has to itself: deep and shallow, alone in their directory and not, and none below
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Name {
    A,
    B,
    DeepA,
    DeepB,
    TreeA,
    TreeB,
    SessionA,
    SessionB,
}

impl Name {
    pub(crate) const ALL: [Self; 8] =
        [Self::A, Self::B, Self::DeepA, Self::DeepB, Self::TreeA, Self::TreeB, Self::SessionA, Self::SessionB];
    /// Those that are written, moved and deleted one by one.
    pub(crate) const PLAIN: [Self; 4] = [Self::A, Self::B, Self::DeepA, Self::DeepB];
    /// Those that files are written to.
    pub(crate) const FILES: [Self; 6] = [Self::A, Self::B, Self::DeepA, Self::DeepB, Self::TreeA, Self::TreeB];
    /// Those that are deleted as one tree.
    pub(crate) const TREE: [Self; 2] = [Self::TreeA, Self::TreeB];
    /// Those at which sessions are kept.
    pub(crate) const SESSIONS: [Self; 2] = [Self::SessionA, Self::SessionB];

    pub(crate) fn within(self, directory: &StoragePath) -> StoragePath {
        path(&format!("{directory}/{self}"))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
            Self::DeepA => "d/e/a",
            Self::DeepB => "d/b",
            Self::TreeA => "t/a",
            Self::TreeB => "t/e/b",
            Self::SessionA => "s/a",
            Self::SessionB => "s/b",
        })
    }
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    Put {
        name: Name,
        content: Content,
        if_absent: bool,
    },
    /// A writer that is written to and committed.
    Publish {
        name: Name,
        content: Content,
    },
    /// A writer that is written to and closed.
    Keep {
        name: Name,
        content: Content,
    },
    /// What was kept, `from` bytes, is continued until it is `content`, and closed.
    Extend {
        name: Name,
        from: u64,
        content: Content,
    },
    /// What was kept is committed as it is.
    Finish {
        name: Name,
        content: Content,
    },
    Move {
        from: Name,
        to: Name,
    },
    Delete {
        name: Name,
    },
    /// The delete of all of [`Name::TREE`].
    DeleteTree,
    /// The same, file by file in one call.
    DeleteFiles,
}

impl Step {
    /// What it does to `name`, as far as a reader can tell.
    pub(crate) fn touches(&self, name: Name) -> bool {
        match self {
            Self::Put { name: own, .. }
            | Self::Publish { name: own, .. }
            | Self::Keep { name: own, .. }
            | Self::Extend { name: own, .. }
            | Self::Finish { name: own, .. }
            | Self::Delete { name: own } => *own == name,
            Self::Move { from, to } => [*from, *to].contains(&name),
            Self::DeleteTree | Self::DeleteFiles => Name::TREE.contains(&name),
        }
    }

    /// The clause that says what may be found where this step did not come to its end.
    pub(crate) fn clause(&self) -> &'static str {
        match self {
            Self::Put { .. } => "PUT-2",
            Self::Publish { .. } => "WRITE-3",
            Self::Keep { .. } | Self::Extend { .. } | Self::Finish { .. } => "WRITE-15",
            Self::Move { .. } => "MOVE-6",
            Self::Delete { .. } | Self::DeleteTree => "DEL-1",
            Self::DeleteFiles => "DEL-8",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { name, content, if_absent: true } => write!(f, "put {name} = {content}, if absent"),
            Self::Put { name, content, .. } => write!(f, "put {name} = {content}"),
            Self::Publish { name, content } => write!(f, "write and commit {name} = {content}"),
            Self::Keep { name, content } => write!(f, "write and close {name} = {content}"),
            Self::Extend { name, from, content } => {
                write!(f, "continue {name} behind byte {from} and close, which makes {content}")
            }
            Self::Finish { name, content } => write!(f, "resume and commit {name} = {content}"),
            Self::Move { from, to } => write!(f, "move {from} to {to}"),
            Self::Delete { name } => write!(f, "delete {name}"),
            Self::DeleteTree => f.write_str("delete the tree t"),
            Self::DeleteFiles => f.write_str("delete the files of t"),
        }
    }
}

/// Makes the change below `directory`. A writer that fails is dropped.
pub(crate) async fn perform(storage: &Storage, directory: &StoragePath, step: &Step) -> Result<(), Error> {
    perform_within(&Context::background(), storage, directory, step).await
}

/// The same, for as long as `context` lasts.
pub(crate) async fn perform_within(
    context: &Context,
    storage: &Storage,
    directory: &StoragePath,
    step: &Step,
) -> Result<(), Error> {
    match *step {
        Step::Put { name, content, if_absent } => {
            let condition = if if_absent { Condition::IfAbsent } else { Condition::None };
            let options = PutOptions::default().with_condition(condition);
            storage.put(context, &name.within(directory), content.bytes(), options).await?;
        }
        Step::Publish { name, content } => {
            let opened = storage.writer(context, &name.within(directory), WriteOptions::default()).await?;
            write(context, opened, content).await?.commit(context, CommitOptions::default()).await?;
        }
        Step::Keep { name, content } => {
            let opened = storage.writer(context, &name.within(directory), WriteOptions::default()).await?;
            write(context, opened, content).await?.close(context).await?;
        }
        Step::Extend { name, from, content } => {
            let opened = storage.writer(context, &name.within(directory), continuing(from)).await?;
            write(context, opened, content).await?.close(context).await?;
        }
        Step::Finish { name, content } => {
            let opened = storage.writer(context, &name.within(directory), continuing(content.size)).await?;
            opened.commit(context, CommitOptions::default()).await?;
        }
        Step::Move { from, to } => {
            storage.move_to(context, &from.within(directory), &to.within(directory)).await?;
        }
        Step::Delete { name } => {
            storage.delete(context, &name.within(directory), DeleteOptions::default()).await?;
        }
        Step::DeleteTree => {
            storage.delete(context, &path(&format!("{directory}/t")), DeleteOptions::tree()).await?;
        }
        Step::DeleteFiles => {
            let files = Name::TREE.map(|name| name.within(directory));
            if let Some(left) = storage.delete_files(context, files).await?.into_iter().next() {
                return Err(left);
            }
        }
    }
    Ok(())
}

/// What a session of `kept` bytes is continued with: another number of them is a Conflict.
fn continuing(kept: u64) -> WriteOptions {
    WriteOptions::default().with_mode(WriteMode::Append { expected_size: Some(kept) })
}

/// Writes what is missing of `content`, piece by piece.
async fn write(context: &Context, mut writer: Writer, content: Content) -> Result<Writer, Error> {
    while writer.size() < content.size {
        let from = writer.size();
        let piece = payload_range(content.write, from..content.size.min(from + PIECE));
        writer.write(context, piece).await?;
    }
    Ok(writer)
}
