//! Calls that read: each tells what is there or that it could not look, and behind retries nobody notices a fault.

use std::num::NonZeroUsize;

use driver_api::{
    ByteRange, EntryKey, Error, GetOptions, ListOptions, ReadOptions, Result, Storage, StoragePath, WriteOptions,
};
use futures_util::TryStreamExt;

use super::changes::stored;
use super::drill::{Bench, Effect, drill};
use super::{content, context, path};

const SIZE: usize = 300_000;
/// Several are needed for what is listed.
const PAGE: NonZeroUsize = NonZeroUsize::new(3).unwrap();

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    Get,
    GetRange,
    GetRangeAtTheEnd,
    GetNothing,
    Reader,
    ReaderRange,
    StatFile,
    StatDirectory,
    StatNothing,
    List,
    ListRecursive,
    ListBehindAll,
    ListNothing,
    Unfinished,
    ResumeAndClose,
}

/// An answer that says that nothing is there, where that is right.
fn nothing<T>(answer: Result<T>) -> Result<()> {
    match answer {
        Ok(_) => panic!("there is nothing"),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

async fn names(storage: &Storage, at: &str, options: ListOptions) -> Result<Vec<String>> {
    let entries = storage.list(&context(), &path(at), options.with_page_size(PAGE)).await?.collect().await?;
    Ok(entries.into_iter().map(|entry| entry.path().to_string()).collect())
}

impl Read {
    async fn run(self, storage: &Storage) -> Result<()> {
        let (file, missing): (StoragePath, StoragePath) = (path("/d/a"), path("/nothing"));
        let get = async |range| storage.get(&context(), &file, GetOptions::default().with_range(range)).await;
        let read = async |range| {
            let reader = storage.reader(&context(), &file, ReadOptions::default().with_range(range)).await?;
            reader.read_to_end(SIZE as u64).await
        };
        match self {
            Self::Get => assert_eq!(get(ByteRange::FULL).await?.1, content(SIZE)),
            Self::GetRange => assert_eq!(get(ByteRange::span(5, 100_000)).await?.1, content(SIZE).slice(5..100_005)),
            Self::GetRangeAtTheEnd => assert!(get(ByteRange::from(SIZE as u64)).await?.1.is_empty()),
            Self::GetNothing => nothing(storage.get(&context(), &missing, GetOptions::default()).await)?,
            Self::Reader => assert_eq!(read(ByteRange::FULL).await?, content(SIZE)),
            Self::ReaderRange => assert_eq!(read(ByteRange::from(7)).await?, content(SIZE).slice(7..)),
            Self::StatFile => assert!(!storage.stat(&context(), &file).await?.is_directory()),
            Self::StatDirectory => assert!(storage.stat(&context(), &path("/d")).await?.is_directory()),
            Self::StatNothing => nothing(storage.stat(&context(), &missing).await)?,
            Self::List => {
                let found = names(storage, "/d", ListOptions::default()).await?;
                assert_eq!(found, ["/d/a", "/d/b", "/d/c", "/d/d", "/d/e", "/d/f", "/d/g"]);
            }
            Self::ListRecursive => {
                assert_eq!(names(storage, "/", ListOptions::recursive()).await?.len(), 8);
            }
            Self::ListBehindAll => {
                let behind = EntryKey::parse("/d/z").unwrap();
                let options = ListOptions::default().with_start_after(behind);
                assert!(names(storage, "/d", options).await?.is_empty());
            }
            Self::ListNothing => nothing(names(storage, "/nothing", ListOptions::default()).await)?,
            Self::Unfinished => {
                let sessions: Vec<_> = storage.unfinished(&context(), &path("/")).await?.try_concat().await?;
                assert_eq!(sessions.iter().map(|session| session.size).sum::<u64>(), 4 * 10);
            }
            Self::ResumeAndClose => {
                let writer = storage.writer(&context(), &path("/s/0"), WriteOptions::append()).await?;
                assert_eq!(writer.close(&context()).await.map_err(Error::from)?, 10);
            }
        }
        Ok(())
    }
}

/// Seven entries below `/d`, one of them a directory, and four kept sessions.
async fn prepare(bench: &impl Bench) {
    let storage = bench.other_process();
    for file in ["/d/a", "/d/b", "/d/c", "/d/d/deep", "/d/d/deeper", "/d/e", "/d/f", "/d/g"] {
        // The one that is read is cut in its middle.
        let size = if file == "/d/a" { SIZE } else { 7 };
        bench.store(file, size).await;
    }
    for number in 0..4 {
        let at = path(&format!("/s/{number}"));
        let mut writer = storage.writer(&context(), &at, WriteOptions::default()).await.unwrap();
        writer.write(&context(), content(10)).await.unwrap();
        writer.close(&context()).await.unwrap();
    }
}

impl Read {
    pub(crate) async fn drill<B: Bench>(self) {
        drill(
            Effect::None,
            true,
            async |bench: &B| prepare(bench).await,
            async |round| self.run(&round.storage).await,
            async |round, result| {
                assert!(result.is_ok() || !round.must_succeed());
                assert_eq!(stored(&round.bench.other_process()).await.len(), 12);
            },
        )
        .await;
    }
}

/// A test for each call.
macro_rules! drill_reads {
    ($bench:ty) => {
        crate::object_store::drill::drills! { $bench:
            get => crate::object_store::reads::Read::Get;
            get_of_a_range => crate::object_store::reads::Read::GetRange;
            get_of_a_range_at_the_end => crate::object_store::reads::Read::GetRangeAtTheEnd;
            get_of_nothing => crate::object_store::reads::Read::GetNothing;
            reader => crate::object_store::reads::Read::Reader;
            reader_of_a_range => crate::object_store::reads::Read::ReaderRange;
            stat_of_a_file => crate::object_store::reads::Read::StatFile;
            stat_of_a_directory => crate::object_store::reads::Read::StatDirectory;
            stat_of_nothing => crate::object_store::reads::Read::StatNothing;
            list_of_three_pages => crate::object_store::reads::Read::List;
            list_of_all_below => crate::object_store::reads::Read::ListRecursive;
            list_behind_all => crate::object_store::reads::Read::ListBehindAll;
            list_of_nothing => crate::object_store::reads::Read::ListNothing;
            unfinished => crate::object_store::reads::Read::Unfinished;
            writer_that_resumes_and_closes => crate::object_store::reads::Read::ResumeAndClose;
        }
    };
}

pub(crate) use drill_reads;
