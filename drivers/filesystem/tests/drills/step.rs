//! What a drill does to a store: steps, as text that a script, a failure report and a pipe to another process can hold.
//!
//! ```text
//! put /a/b 7 100            write 7 of 100 bytes; `put-absent` only where no file is
//! write /a/b 8 300 close    a new session; ends in `close`, `cancel`, `commit` or `commit-to /c`
//! resume /a/b 8 500 commit  the kept session goes on, up to 500 bytes
//! move /a/b /c              delete /c              delete-tree /a
//! abandon /a/b              sweep
//! ```

use std::fmt;
use std::str::FromStr;

use conformance::payload::{Content, payload_range};
use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, ErrorKind, PutOptions, Result, StorageDriver, StoragePath,
    WriteOptions,
};
use driver_filesystem::{FilesystemDriver, SystemCalls};

/// One step; it is acknowledged once [`perform`] has returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Put { path: StoragePath, content: Content, if_absent: bool },
    Write { path: StoragePath, resume: bool, content: Content, end: End },
    Move { from: StoragePath, to: StoragePath },
    Delete { path: StoragePath },
    DeleteTree { path: StoragePath },
    Abandon { path: StoragePath },
    Sweep,
}

/// How a writer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    Cancel,
    Commit { to: Option<StoragePath> },
}

/// Does a step. A conditional put that meets a file has done its work.
pub(crate) async fn perform<S: SystemCalls>(driver: &FilesystemDriver<S>, step: &Step) -> Result<()> {
    let context = Context::background();
    match step {
        Step::Put { path, content, if_absent } => {
            let condition = if *if_absent { Condition::IfAbsent } else { Condition::None };
            let options = PutOptions::default().with_condition(condition);
            match driver.put(&context, path, content.bytes().into(), options).await {
                Err(error) if *if_absent && error.kind() == ErrorKind::AlreadyExists => Ok(()),
                answer => answer.map(drop),
            }
        }
        Step::Write { path, resume, content, end } => {
            let options = if *resume { WriteOptions::append() } else { WriteOptions::default() };
            let mut writer = driver.writer(&context, path, options).await?;
            let begin = writer.size();
            let middle = begin + content.size.saturating_sub(begin) / 2;
            for range in [begin..middle, middle..content.size] {
                if !range.is_empty() {
                    writer.write(&context, payload_range(content.write, range)).await?;
                }
            }
            match end {
                End::Close => writer.close(&context).await.map(drop),
                End::Cancel => writer.cancel(&context).await,
                End::Commit { to } => {
                    let mut options = CommitOptions::default();
                    options.to.clone_from(to);
                    writer.commit(&context, options).await.map(drop)
                }
            }
        }
        Step::Move { from, to } => driver.move_to(&context, from, to, Default::default()).await,
        Step::Delete { path } => driver.delete(&context, path, DeleteOptions::default()).await,
        Step::DeleteTree { path } => driver.delete(&context, path, DeleteOptions::tree()).await,
        Step::Abandon { path } => driver.abandon(&context, path).await,
        Step::Sweep => driver.sweep().await.map(drop),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { path, content: Content { write, size }, if_absent } => {
                write!(f, "{} {path} {write} {size}", if *if_absent { "put-absent" } else { "put" })
            }
            Self::Write { path, resume, content: Content { write, size }, end } => {
                write!(f, "{} {path} {write} {size} ", if *resume { "resume" } else { "write" })?;
                match end {
                    End::Close => f.write_str("close"),
                    End::Cancel => f.write_str("cancel"),
                    End::Commit { to: None } => f.write_str("commit"),
                    End::Commit { to: Some(to) } => write!(f, "commit-to {to}"),
                }
            }
            Self::Move { from, to } => write!(f, "move {from} {to}"),
            Self::Delete { path } => write!(f, "delete {path}"),
            Self::DeleteTree { path } => write!(f, "delete-tree {path}"),
            Self::Abandon { path } => write!(f, "abandon {path}"),
            Self::Sweep => f.write_str("sweep"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> std::result::Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let path = |text: &str| StoragePath::parse(text).map_err(|error| format!("{line}: {error}"));
        let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{line}: {error}"));
        Ok(match words[..] {
            [put @ ("put" | "put-absent"), at, write, size] => Self::Put {
                path: path(at)?,
                content: Content { write: number(write)?, size: number(size)? },
                if_absent: put == "put-absent",
            },
            [begin @ ("write" | "resume"), at, write, size, ref end @ ..] => Self::Write {
                path: path(at)?,
                resume: begin == "resume",
                content: Content { write: number(write)?, size: number(size)? },
                end: match end {
                    ["close"] => End::Close,
                    ["cancel"] => End::Cancel,
                    ["commit"] => End::Commit { to: None },
                    ["commit-to", to] => End::Commit { to: Some(path(to)?) },
                    _ => return Err(format!("{line}: a writer ends in close, cancel, commit or commit-to PATH")),
                },
            },
            ["move", from, to] => Self::Move { from: path(from)?, to: path(to)? },
            ["delete", at] => Self::Delete { path: path(at)? },
            ["delete-tree", at] => Self::DeleteTree { path: path(at)? },
            ["abandon", at] => Self::Abandon { path: path(at)? },
            ["sweep"] => Self::Sweep,
            _ => return Err(format!("{line}: no step")),
        })
    }
}

/// The steps of a script: one a line, or several between semicolons.
pub(crate) fn script(text: &str) -> Vec<Step> {
    let lines = text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.parse().unwrap()).collect()
}

#[test]
fn steps_read_back_as_they_are_written() {
    let text = "put /a 1 16; put-absent /a/b 2 20; write /c 3 30 commit; write /c 3 30 commit-to /d; resume /c 4 5 close; \
                resume /c 4 6 cancel; move /a /b; delete /b; delete-tree /c; abandon /c; sweep";
    let steps = script(text);
    assert_eq!(steps.iter().map(Step::to_string).collect::<Vec<_>>().join("; "), text);
    assert!("put /a".parse::<Step>().is_err());
}
