//! The rows of the table: what is measured, between whom, and how far apart they may be.

use std::path::Path;
use std::sync::Arc;

use crate::Result;
use crate::contest::{Contestant, Entrant, Work};
use crate::object_store_store::ObjectStoreCrate;
use crate::opendal_store::Opendal;
use crate::ours::Ours;
use crate::raw::Raw;
use crate::scale::{Asked, Question};
use crate::services::Service;

/// A row: what takes turns, and how often.
pub(crate) struct Row {
    pub(crate) name: String,
    contest: Contest,
    /// The most rounds; for rows whose rounds take long.
    pub(crate) most_rounds: usize,
    /// By how much ours may take longer than each of the others, in their order.
    pub(crate) limits: Vec<f64>,
    /// The most memory above idle that ours may take, in bytes.
    pub(crate) most_bytes: Option<u64>,
}

/// What is measured in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// Memory and the filesystem.
    Drivers,
    /// The S3 service that the environment names.
    S3,
    /// The blob service that the environment names.
    Azure,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// The rounds of rows whose rounds take seconds each; what suits the row where none is given.
    pub(crate) few: Option<usize>,
    /// The size of streams.
    pub(crate) mebibytes: usize,
    /// The files of a tree that is deleted.
    pub(crate) tree: usize,
}

enum Contest {
    Service(Arc<Service>, Work),
    Filesystem(Work),
    Memory(Work),
    MemoryScale(Question, usize),
    FilesystemScale(Question, usize),
    FilesystemPage(usize),
}

/// Behind is who takes longer by more than noise.
const PEER: f64 = 1.05;
/// What our filesystem driver may take beyond the system calls.
const RAW: f64 = 1.25;
/// What a page may take beyond its system calls.
const RAW_PAGE: f64 = 1.5;
/// What many files may cost beyond few.
const SCALE: f64 = 3.0;
/// Rounds for rows that take seconds each.
const FEW: usize = 7;
/// Rounds for such rows on a service: an emulator takes its time.
const FEW_ON_A_SERVICE: usize = 5;
/// The same for the deletion of a tree on Azurite, which looks at all its blobs for each that comes or goes: with 10,000 a round
/// takes five minutes.
const FEW_TREES_ON_AZURITE: usize = 3;
/// The memory that a stream into or out of a service may take: 64 MiB.
const MOST_BYTES: u64 = 64 << 20;

const FEW_FILES: usize = 1_000;
const MANY_IN_MEMORY: usize = 1_000_000;
const MANY_IN_A_DIRECTORY: usize = 100_000;

/// All rows of a suite; on a service, everything is made below the directory `root`.
pub(crate) fn rows(suite: Suite, extent: Extent, root: &str) -> Result<Vec<Row>> {
    Ok(match suite {
        Suite::Drivers => driver_rows(extent),
        Suite::S3 => service_rows("s3", Service::s3(root)?, extent, FEW_ON_A_SERVICE),
        Suite::Azure => service_rows("azure", Service::azure(root)?, extent, FEW_TREES_ON_AZURITE),
    })
}

fn driver_rows(extent: Extent) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, work, most_rounds) in filesystem_works(extent) {
        let contest = Contest::Filesystem(work);
        rows.push(Row::new(format!("filesystem {name}"), contest, vec![RAW, PEER, PEER]).within(most_rounds));
    }
    let page = Contest::FilesystemPage(3);
    rows.push(Row::new("filesystem page of 100000".to_owned(), page, vec![RAW_PAGE]));
    for (name, work, most_rounds) in memory_works(extent) {
        rows.push(Row::new(format!("memory {name}"), Contest::Memory(work), vec![PEER, PEER]).within(most_rounds));
    }
    for (name, question) in [("get", Question::Get), ("stat", Question::Stat), ("page", Question::Page)] {
        let calls = if question == Question::Page { 500 } else { 20_000 };
        let contest = Contest::MemoryScale(question, calls);
        rows.push(Row::new(format!("memory scale {name}"), contest, vec![SCALE]));
    }
    for (name, question) in [("get", Question::Get), ("stat", Question::Stat)] {
        let contest = Contest::FilesystemScale(question, 2_000);
        rows.push(Row::new(format!("filesystem scale {name}"), contest, vec![SCALE]));
    }
    rows
}

fn service_rows(service_name: &str, service: Service, extent: Extent, few_trees: usize) -> Vec<Row> {
    let service = Arc::new(service);
    let row = |(name, work, most_rounds): (String, Work, usize)| {
        let contest = Contest::Service(service.clone(), work);
        let row = Row::new(format!("{service_name} {name}"), contest, vec![PEER; 3]).within(most_rounds);
        Row { most_bytes: work.streams().then_some(MOST_BYTES), ..row }
    };
    service_works(extent, few_trees).into_iter().map(row).collect()
}

/// So many operations that a round takes a good part of a second on an emulator.
fn service_works(extent: Extent, few_trees: usize) -> [(String, Work, usize); 10] {
    let (all, few) = (usize::MAX, extent.few.unwrap_or(FEW_ON_A_SERVICE));
    let (mebibytes, tree) = (extent.mebibytes, extent.tree);
    let size = size_of_streams(mebibytes);
    [
        ("put 4KiB x1".to_owned(), Work::Put { files: 100, tasks: 1 }, all),
        ("put 4KiB x16".to_owned(), Work::Put { files: 160, tasks: 16 }, all),
        ("get 4KiB x1".to_owned(), Work::Get { files: 200, reads: 60, tasks: 1 }, all),
        ("get 4KiB x16".to_owned(), Work::Get { files: 200, reads: 320, tasks: 16 }, all),
        ("stat x1".to_owned(), Work::Stat { files: 200, asked: 400, tasks: 1 }, all),
        ("stat x16".to_owned(), Work::Stat { files: 200, asked: 800, tasks: 16 }, all),
        ("list 10000".to_owned(), Work::List { entries: 10_000, times: 1 }, all),
        (format!("stream in {size}"), Work::StreamIn { mebibytes }, few),
        (format!("stream out {size}"), Work::StreamOut { mebibytes, looked_at: false }, few),
        (format!("delete tree of {tree}"), Work::DeleteTree { files: tree }, extent.few.unwrap_or(few_trees)),
    ]
}

fn size_of_streams(mebibytes: usize) -> String {
    if mebibytes.is_multiple_of(1024) { format!("{}GiB", mebibytes / 1024) } else { format!("{mebibytes}MiB") }
}

fn filesystem_works(extent: Extent) -> [(String, Work, usize); 10] {
    let (all, few) = (usize::MAX, extent.few.unwrap_or(FEW));
    let (mebibytes, tree) = (extent.mebibytes, extent.tree);
    let size = size_of_streams(mebibytes);
    [
        ("put 4KiB x1".to_owned(), Work::Put { files: 400, tasks: 1 }, all),
        ("put 4KiB x16".to_owned(), Work::Put { files: 800, tasks: 16 }, all),
        ("get 4KiB x1".to_owned(), Work::Get { files: 1_000, reads: 1_000, tasks: 1 }, all),
        ("get 4KiB x16".to_owned(), Work::Get { files: 1_000, reads: 2_000, tasks: 16 }, all),
        ("stat".to_owned(), Work::Stat { files: 1_000, asked: 1_000, tasks: 1 }, all),
        ("list 2000".to_owned(), Work::List { entries: 2_000, times: 2 }, all),
        ("list 100000".to_owned(), Work::List { entries: 100_000, times: 1 }, few),
        (format!("stream in {size}"), Work::StreamIn { mebibytes }, all),
        (format!("stream out {size}"), Work::StreamOut { mebibytes, looked_at: false }, few),
        (format!("delete tree of {tree}"), Work::DeleteTree { files: tree }, few),
    ]
}

fn memory_works(extent: Extent) -> [(String, Work, usize); 10] {
    let all = usize::MAX;
    let (mebibytes, tree) = (extent.mebibytes, extent.tree);
    let size = size_of_streams(mebibytes);
    [
        ("put 4KiB x1".to_owned(), Work::Put { files: 10_000, tasks: 1 }, all),
        ("put 4KiB x16".to_owned(), Work::Put { files: 10_000, tasks: 16 }, all),
        ("get 4KiB x1".to_owned(), Work::Get { files: 1_000, reads: 20_000, tasks: 1 }, all),
        ("get 4KiB x16".to_owned(), Work::Get { files: 1_000, reads: 20_000, tasks: 16 }, all),
        ("stat".to_owned(), Work::Stat { files: 1_000, asked: 20_000, tasks: 1 }, all),
        ("list 2000".to_owned(), Work::List { entries: 2_000, times: 20 }, all),
        ("list 100000".to_owned(), Work::List { entries: 100_000, times: 1 }, all),
        (format!("stream in {size}"), Work::StreamIn { mebibytes }, all),
        (format!("stream out {size}"), Work::StreamOut { mebibytes, looked_at: true }, all),
        (format!("delete tree of {tree}"), Work::DeleteTree { files: tree }, all),
    ]
}

impl Row {
    fn new(name: String, contest: Contest, limits: Vec<f64>) -> Self {
        Self { name, contest, most_rounds: usize::MAX, limits, most_bytes: None }
    }

    fn within(self, most_rounds: usize) -> Self {
        Self { most_rounds, ..self }
    }

    /// The name of the directory in which the row makes everything.
    pub(crate) fn directory_name(&self) -> String {
        self.name.replace(' ', "-")
    }

    /// Deletes what the row left in a service. What is in a directory of this machine is removed with it.
    pub(crate) async fn clear(&self) -> Result<()> {
        match &self.contest {
            Contest::Service(service, _) => service.clear(&self.directory_name()).await,
            _ => Ok(()),
        }
    }

    /// Those that take turns, ours first; what they keep on disk is in `directory`.
    pub(crate) fn contestants(&self, directory: &Path) -> Result<Vec<Box<dyn Contestant>>> {
        if let Contest::Service(service, work) = &self.contest {
            return service.contestants(&self.directory_name(), *work);
        }
        let root = directory.join("root");
        std::fs::create_dir_all(&root)?;
        Ok(match self.contest {
            Contest::Service(..) => Vec::new(),
            Contest::Filesystem(work) => vec![
                Entrant::boxed("ours", Ours::filesystem(&root)?, work),
                Entrant::boxed("raw", Raw::new(&root, &directory.join("raw-staging"))?, work),
                Entrant::boxed("object_store", ObjectStoreCrate::filesystem(&root)?, work),
                Entrant::boxed("opendal", Opendal::filesystem(&root, &directory.join("opendal-staging"))?, work),
            ],
            Contest::Memory(work) => vec![
                Entrant::boxed("ours", Ours::memory(), work),
                Entrant::boxed("object_store", ObjectStoreCrate::memory(), work),
                Entrant::boxed("opendal", Opendal::memory()?, work),
            ],
            Contest::MemoryScale(question, calls) => vec![
                Asked::ours("1,000,000 files", Ours::memory(), MANY_IN_MEMORY, (question, calls)),
                Asked::ours("1,000 files", Ours::memory(), FEW_FILES, (question, calls)),
            ],
            Contest::FilesystemScale(question, calls) => vec![
                Asked::ours("100,000 files", Ours::filesystem(&root)?, MANY_IN_A_DIRECTORY, (question, calls)),
                Asked::ours("1,000 files", Ours::filesystem(&root)?, FEW_FILES, (question, calls)),
            ],
            Contest::FilesystemPage(calls) => vec![
                Asked::ours("ours", Ours::filesystem(&root)?, MANY_IN_A_DIRECTORY, (Question::Page, calls)),
                Asked::raw_page("raw", &root, MANY_IN_A_DIRECTORY, calls),
            ],
        })
    }

    /// How many operations a round has.
    pub(crate) fn operations(&self) -> usize {
        match self.contest {
            Contest::Service(_, work) | Contest::Filesystem(work) | Contest::Memory(work) => work.operations(),
            Contest::MemoryScale(_, calls) | Contest::FilesystemScale(_, calls) | Contest::FilesystemPage(calls) => {
                calls
            }
        }
    }

    /// Whether the row streams, so that the memory it takes is measured too.
    pub(crate) fn streams(&self) -> bool {
        match self.contest {
            Contest::Service(_, work) | Contest::Filesystem(work) | Contest::Memory(work) => work.streams(),
            _ => false,
        }
    }
}
