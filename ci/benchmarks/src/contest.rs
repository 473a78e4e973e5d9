//! Contestants: a subject and a piece of work, run round by round.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::subject::{Subject, file_names, fill};
use crate::{Failure, Result};

/// The length of small files.
const SMALL: usize = 4 * 1024;
/// The length of the chunks of a stream.
const CHUNK: usize = 1024 * 1024;
/// The number of directories in a tree that is deleted.
pub(crate) const PARTS: usize = 100;
/// The file that is streamed out.
const STREAMED: &str = "streamed/out";

/// What is measured in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Storing new files of 4 KiB.
    Put { files: usize, tasks: usize },
    /// Reading files of 4 KiB.
    Get { files: usize, reads: usize, tasks: usize },
    /// Asking for the size of files.
    Stat { files: usize, asked: usize, tasks: usize },
    /// Listing a directory.
    List { entries: usize, times: usize },
    /// Streaming a file in.
    StreamIn { mebibytes: usize },
    /// Streaming a file out; `looked_at` has the consumer look at every byte, where else none would move.
    StreamOut { mebibytes: usize, looked_at: bool },
    /// Deleting a directory with files in 100 directories.
    DeleteTree { files: usize },
}

impl Work {
    /// How many operations a round has.
    pub(crate) fn operations(self) -> usize {
        match self {
            Self::Put { files, .. } => files,
            Self::Get { reads, .. } => reads,
            Self::Stat { asked, .. } => asked,
            Self::List { times, .. } => times,
            Self::StreamIn { .. } | Self::StreamOut { .. } | Self::DeleteTree { .. } => 1,
        }
    }

    pub(crate) fn streams(self) -> bool {
        matches!(self, Self::StreamIn { .. } | Self::StreamOut { .. })
    }
}

/// One of those that take turns in a row.
pub(crate) trait Contestant: Send {
    fn name(&self) -> &'static str;

    /// Makes what the rounds up to `last` need, past the clock.
    fn prepare(&mut self, last: usize) -> BoxFuture<'_, Result<()>>;

    /// Does the work once, and tells how long it took.
    fn round(&mut self, number: usize) -> BoxFuture<'_, Result<Duration>>;
}

/// A subject that does a piece of work.
pub(crate) struct Entrant<S: Subject> {
    name: &'static str,
    subject: Arc<S>,
    work: Work,
    paths: Arc<Vec<S::Path>>,
}

impl<S: Subject> Entrant<S> {
    pub(crate) fn boxed(name: &'static str, subject: S, work: Work) -> Box<dyn Contestant> {
        Box::new(Self { name, subject: Arc::new(subject), work, paths: Arc::default() })
    }

    fn paths_of(&self, directory: &str, files: usize) -> Result<Vec<S::Path>> {
        file_names(directory, files).map(|name| self.subject.path(&name)).collect()
    }

    async fn make_files(&mut self, files: usize) -> Result<()> {
        fill(&self.subject, "files", files, &content(SMALL)).await?;
        let mut paths = self.paths_of("files", files)?;
        // In an order of their own, the same for all: neighbours in a directory are not neighbours in time.
        fastrand::Rng::with_seed(7).shuffle(&mut paths);
        self.paths = Arc::new(paths);
        Ok(())
    }

    async fn put_round(&self, number: usize, files: usize, tasks: usize) -> Result<Duration> {
        let directory = format!("{}/round-{number:03}", self.name);
        let (paths, content) = (Arc::new(self.paths_of(&directory, files)?), content(SMALL));
        let took = self
            .shared_among(tasks, files, move |subject, at| {
                let (paths, content) = (paths.clone(), content.clone());
                async move { subject.put(&paths[at], content).await }
            })
            .await?;
        // In a service it stays until the row is done, for not every crate deletes well there.
        if self.subject.root().is_none() && !self.subject.is_service() {
            self.subject.delete_tree(&self.subject.directory(&directory)?).await?;
        }
        Ok(took)
    }

    async fn get_round(&self, reads: usize, tasks: usize) -> Result<Duration> {
        let paths = self.paths.clone();
        self.shared_among(tasks, reads, move |subject, at| {
            let paths = paths.clone();
            async move { expect(subject.get(&paths[at % paths.len()]).await?, SMALL as u64) }
        })
        .await
    }

    /// Times `operations` operations, one after the other or shared among tasks that run at once.
    async fn shared_among<F>(
        &self,
        tasks: usize,
        operations: usize,
        operation: impl Fn(Arc<S>, usize) -> F + Clone + Send + 'static,
    ) -> Result<Duration>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let begun = Instant::now();
        let running: Vec<_> = (0..tasks)
            .map(|task| {
                let (subject, operation) = (self.subject.clone(), operation.clone());
                tokio::spawn(async move {
                    for at in (task..operations).step_by(tasks) {
                        operation(subject.clone(), at).await?;
                    }
                    Ok::<_, Failure>(())
                })
            })
            .collect();
        for task in running {
            task.await??;
        }
        Ok(begun.elapsed())
    }

    async fn stat_round(&self, asked: usize, tasks: usize) -> Result<Duration> {
        let paths = self.paths.clone();
        self.shared_among(tasks, asked, move |subject, at| {
            let paths = paths.clone();
            async move { expect(subject.stat(&paths[at % paths.len()]).await?, SMALL as u64) }
        })
        .await
    }

    async fn list_round(&self, entries: usize, times: usize) -> Result<Duration> {
        let directory = self.subject.directory("files")?;
        let begun = Instant::now();
        for _ in 0..times {
            expect(self.subject.list(&directory).await? as u64, entries as u64)?;
        }
        Ok(begun.elapsed())
    }

    async fn stream_in_round(&self, mebibytes: usize) -> Result<Duration> {
        let name = format!("{}-streamed", self.name);
        let (path, chunk) = (self.subject.path(&name)?, content(CHUNK));
        let begun = Instant::now();
        self.subject.write_stream(&path, chunk, mebibytes).await?;
        let took = begun.elapsed();
        expect(self.subject.stat(&path).await?, (CHUNK * mebibytes) as u64)?;
        match self.subject.root() {
            Some(root) => std::fs::remove_file(root.join(name))?,
            None => self.subject.put(&path, Bytes::new()).await?,
        }
        Ok(took)
    }

    async fn make_stream(&self, mebibytes: usize) -> Result<()> {
        let path = self.subject.path(STREAMED)?;
        let is_there = match self.subject.root() {
            Some(root) => root.join(STREAMED).exists(),
            None => self.subject.is_service() && self.subject.stat(&path).await.is_ok(),
        };
        if is_there { Ok(()) } else { self.subject.write_stream(&path, content(CHUNK), mebibytes).await }
    }

    async fn stream_out_round(&self, mebibytes: usize, looked_at: bool) -> Result<Duration> {
        let path = self.subject.path(STREAMED)?;
        let begun = Instant::now();
        let length = self.subject.read_stream(&path, if looked_at { look_at } else { pass_by }).await?;
        let took = begun.elapsed();
        expect(length, (CHUNK * mebibytes) as u64)?;
        Ok(took)
    }

    /// What the rounds delete is made before the first of them: ext4 does not use an inode again soon after it was freed, and
    /// spends more time on looking for others than all the rest takes. In a service it is made round by round, because an
    /// emulator gets slower with all that it has.
    async fn make_trees(&self, last: usize, files: usize) -> Result<()> {
        if !self.subject.is_service() {
            for number in 0..=last {
                self.make_tree(number, files).await?;
            }
        }
        Ok(())
    }

    async fn make_tree(&self, number: usize, files: usize) -> Result<()> {
        for part in 0..PARTS {
            let directory = format!("{}/part-{part:02}", self.tree(number));
            fill(&self.subject, &directory, files / PARTS, &content(16)).await?;
        }
        Ok(())
    }

    fn tree(&self, number: usize) -> String {
        format!("{}-{number:03}", self.name)
    }

    async fn delete_round(&self, number: usize, files: usize) -> Result<Duration> {
        if self.subject.is_service() {
            self.make_tree(number, files).await?;
        }
        let directory = self.subject.directory(&self.tree(number))?;
        let begun = Instant::now();
        self.subject.delete_tree(&directory).await?;
        Ok(begun.elapsed())
    }
}

impl<S: Subject> Contestant for Entrant<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&mut self, last: usize) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            match self.work {
                Work::DeleteTree { files } => self.make_trees(last, files).await,
                Work::Get { files, .. } | Work::Stat { files, .. } => self.make_files(files).await,
                Work::List { entries, .. } => fill(&self.subject, "files", entries, &content(16)).await,
                Work::StreamOut { mebibytes, .. } => self.make_stream(mebibytes).await,
                Work::Put { .. } | Work::StreamIn { .. } => Ok(()),
            }
        })
    }

    fn round(&mut self, number: usize) -> BoxFuture<'_, Result<Duration>> {
        Box::pin(async move {
            match self.work {
                Work::Put { files, tasks } => self.put_round(number, files, tasks).await,
                Work::Get { reads, tasks, .. } => self.get_round(reads, tasks).await,
                Work::Stat { asked, tasks, .. } => self.stat_round(asked, tasks).await,
                Work::List { entries, times } => self.list_round(entries, times).await,
                Work::StreamIn { mebibytes } => self.stream_in_round(mebibytes).await,
                Work::StreamOut { mebibytes, looked_at } => self.stream_out_round(mebibytes, looked_at).await,
                Work::DeleteTree { files } => self.delete_round(number, files).await,
            }
        })
    }
}

fn content(length: usize) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

/// A measurement of the wrong answer is none.
pub(crate) fn expect(found: u64, due: u64) -> Result<()> {
    if found == due { Ok(()) } else { Err(format!("the answer is {found}, and should be {due}").into()) }
}

fn pass_by(piece: &[u8]) {
    std::hint::black_box(piece.len());
}

/// What any consumer does at least: it reads the bytes.
fn look_at(piece: &[u8]) {
    let (words, rest) = piece.as_chunks::<8>();
    let words = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(0_u64, |sum, byte| sum.wrapping_add(u64::from(*byte)));
    std::hint::black_box(words.wrapping_add(rest));
}
