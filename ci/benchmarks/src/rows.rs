//! The rows of the table: what is measured, between whom, and how far apart they may be.

use std::path::Path;

use crate::Result;
use crate::contest::{Contestant, Entrant, Work};
use crate::object_store_store::ObjectStoreCrate;
use crate::opendal_store::Opendal;
use crate::ours::Ours;
use crate::raw::Raw;
use crate::scale::{Asked, Question};

/// A row: what takes turns, and how often.
pub(crate) struct Row {
    pub(crate) name: String,
    contest: Contest,
    /// The most rounds; for rows whose rounds take long.
    pub(crate) most_rounds: usize,
    /// By how much ours may take longer than each of the others, in their order.
    pub(crate) limits: Vec<f64>,
}

enum Contest {
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

const FEW_FILES: usize = 1_000;
const MANY_IN_MEMORY: usize = 1_000_000;
const MANY_IN_A_DIRECTORY: usize = 100_000;

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, work, most_rounds) in filesystem_works() {
        let limits = vec![RAW, PEER, PEER];
        rows.push(Row { name: format!("filesystem {name}"), contest: Contest::Filesystem(work), most_rounds, limits });
    }
    rows.push(Row {
        name: "filesystem page of 100000".to_owned(),
        contest: Contest::FilesystemPage(3),
        most_rounds: usize::MAX,
        limits: vec![RAW_PAGE],
    });
    for (name, work, most_rounds) in memory_works() {
        let limits = vec![PEER, PEER];
        rows.push(Row { name: format!("memory {name}"), contest: Contest::Memory(work), most_rounds, limits });
    }
    for (name, question) in [("get", Question::Get), ("stat", Question::Stat), ("page", Question::Page)] {
        rows.push(Row {
            name: format!("memory scale {name}"),
            contest: Contest::MemoryScale(question, if question == Question::Page { 500 } else { 20_000 }),
            most_rounds: usize::MAX,
            limits: vec![SCALE],
        });
    }
    for (name, question) in [("get", Question::Get), ("stat", Question::Stat)] {
        rows.push(Row {
            name: format!("filesystem scale {name}"),
            contest: Contest::FilesystemScale(question, 2_000),
            most_rounds: usize::MAX,
            limits: vec![SCALE],
        });
    }
    rows
}

fn filesystem_works() -> [(&'static str, Work, usize); 10] {
    let all = usize::MAX;
    [
        ("put 4KiB x1", Work::Put { files: 400, tasks: 1 }, all),
        ("put 4KiB x16", Work::Put { files: 800, tasks: 16 }, all),
        ("get 4KiB x1", Work::Get { files: 1_000, reads: 1_000, tasks: 1 }, all),
        ("get 4KiB x16", Work::Get { files: 1_000, reads: 2_000, tasks: 16 }, all),
        ("stat", Work::Stat { files: 1_000, asked: 1_000 }, all),
        ("list 2000", Work::List { entries: 2_000, times: 2 }, all),
        ("list 100000", Work::List { entries: 100_000, times: 1 }, FEW),
        ("stream in 1GiB", Work::StreamIn, all),
        ("stream out 1GiB", Work::StreamOut { looked_at: false }, FEW),
        ("delete tree of 10000", Work::DeleteTree { files: 10_000 }, FEW),
    ]
}

fn memory_works() -> [(&'static str, Work, usize); 10] {
    let all = usize::MAX;
    [
        ("put 4KiB x1", Work::Put { files: 10_000, tasks: 1 }, all),
        ("put 4KiB x16", Work::Put { files: 10_000, tasks: 16 }, all),
        ("get 4KiB x1", Work::Get { files: 1_000, reads: 20_000, tasks: 1 }, all),
        ("get 4KiB x16", Work::Get { files: 1_000, reads: 20_000, tasks: 16 }, all),
        ("stat", Work::Stat { files: 1_000, asked: 20_000 }, all),
        ("list 2000", Work::List { entries: 2_000, times: 20 }, all),
        ("list 100000", Work::List { entries: 100_000, times: 1 }, all),
        ("stream in 1GiB", Work::StreamIn, all),
        ("stream out 1GiB", Work::StreamOut { looked_at: true }, all),
        ("delete tree of 10000", Work::DeleteTree { files: 10_000 }, all),
    ]
}

impl Row {
    /// Those that take turns, ours first; what they keep on disk is in `directory`.
    pub(crate) fn contestants(&self, directory: &Path) -> Result<Vec<Box<dyn Contestant>>> {
        let root = directory.join("root");
        std::fs::create_dir_all(&root)?;
        Ok(match self.contest {
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
            Contest::Filesystem(work) | Contest::Memory(work) => work.operations(),
            Contest::MemoryScale(_, calls) | Contest::FilesystemScale(_, calls) | Contest::FilesystemPage(calls) => {
                calls
            }
        }
    }

    /// Whether the row streams, so that the memory it takes is measured too.
    pub(crate) fn streams(&self) -> bool {
        matches!(
            self.contest,
            Contest::Filesystem(Work::StreamIn | Work::StreamOut { .. })
                | Contest::Memory(Work::StreamIn | Work::StreamOut { .. })
        )
    }
}
