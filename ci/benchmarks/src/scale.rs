//! The same call on a small and on a large store.
//!
//! In both as many files are asked for, spread over the large one. So what differs is the work that the store has with its
//! size, and not how much of it the processor's caches hold: one line from main memory can take longer than a whole call.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use driver_api::{EntryKey, StoragePath};
use futures_util::future::BoxFuture;

use crate::Result;
use crate::contest::{Contestant, expect};
use crate::ours::Ours;
use crate::raw;
use crate::subject::{Subject, file_names, fill};

/// How many entries a page has.
const PAGE: NonZeroUsize = NonZeroUsize::new(100).unwrap();
/// How many files are asked for, again and again.
const ASKED_FOR: usize = 1_000;
const CONTENT: Bytes = Bytes::from_static(b"one of very many files");

/// What is asked of a store with many files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Get,
    Stat,
    Page,
}

/// One of our drivers with a number of files in one directory, or what a page costs without a driver.
pub(crate) struct Asked {
    name: &'static str,
    store: Store,
    directory: String,
    files: usize,
    question: Question,
    calls: usize,
    paths: Vec<StoragePath>,
}

enum Store {
    Ours(Arc<Ours>),
    Raw(std::path::PathBuf),
}

impl Asked {
    pub(crate) fn ours(
        name: &'static str,
        store: Ours,
        files: usize,
        (question, calls): (Question, usize),
    ) -> Box<dyn Contestant> {
        Self::boxed(name, Store::Ours(Arc::new(store)), files, (question, calls))
    }

    /// A page as names, sort and metadata alone.
    pub(crate) fn raw_page(name: &'static str, root: &Path, files: usize, calls: usize) -> Box<dyn Contestant> {
        Self::boxed(name, Store::Raw(root.to_owned()), files, (Question::Page, calls))
    }

    fn boxed(
        name: &'static str,
        store: Store,
        files: usize,
        (question, calls): (Question, usize),
    ) -> Box<dyn Contestant> {
        let directory = format!("many/{files}");
        Box::new(Self { name, store, directory, files, question, calls, paths: Vec::new() })
    }

    async fn prepared(&mut self) -> Result<()> {
        match &self.store {
            Store::Ours(ours) => fill(ours, &self.directory, self.files, &CONTENT).await?,
            // It reads what one of ours was given.
            Store::Raw(_) => {}
        }
        let (places, last) = match self.question {
            Question::Get | Question::Stat => (ASKED_FOR, self.files),
            // A page takes in as many files, and begins where a whole one is left.
            Question::Page => (ASKED_FOR / PAGE.get(), self.files - PAGE.get()),
        };
        let mut random = fastrand::Rng::with_seed(11);
        let names: Vec<_> = file_names(&self.directory, self.files).step_by(last / places).take(places).collect();
        let drawn = (0..self.calls).map(|_| StoragePath::parse(&format!("/{}", names[random.usize(..places)])));
        self.paths = drawn.collect::<Result<_, _>>()?;
        Ok(())
    }

    async fn asked(&self) -> Result<Duration> {
        let directory = StoragePath::parse(&format!("/{}", self.directory))?;
        let begun = Instant::now();
        for path in &self.paths {
            match (&self.store, self.question) {
                (Store::Ours(ours), Question::Get) => expect(ours.get(path).await?, CONTENT.len() as u64)?,
                (Store::Ours(ours), Question::Stat) => expect(ours.stat(path).await?, CONTENT.len() as u64)?,
                (Store::Ours(ours), Question::Page) => {
                    let entries = ours.page(&directory, &EntryKey::file(path), PAGE).await?;
                    expect(entries as u64, PAGE.get() as u64)?;
                }
                (Store::Raw(root), _) => {
                    let (directory, start) = (root.join(&self.directory), path.name().unwrap_or_default().to_owned());
                    let entries = raw::blocking(move || raw::page(&directory, &start, PAGE.get())).await?;
                    expect(entries.len() as u64, PAGE.get() as u64)?;
                }
            }
        }
        Ok(begun.elapsed())
    }
}

impl Contestant for Asked {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&mut self, _last: usize) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.prepared())
    }

    fn round(&mut self, _number: usize) -> BoxFuture<'_, Result<Duration>> {
        Box::pin(self.asked())
    }
}
