//! A read with a fault at each of its calls: right where it succeeds, and successful where repeating helps.

use std::num::NonZeroUsize;

use bytes::Bytes;
use driver_api::{Context, Error, GetOptions, ListOptions, ReadOptions, Storage, StoragePath, WriteOptions};

use super::changes::fresh_directory;
use super::{Injected, KEPT, NEW, behind_retry};
use crate::case::{Case, unfinished};
use crate::check::{Failure, Verdict, describe};
use crate::drills::workload::Name;
use crate::expect::same_bytes;

/// More than a page of the listing that is asked for.
const ENTRIES: usize = 20;
const PAGE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(6);

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Get,
    Reader,
    Stat,
    List,
    Unfinished,
}

impl Reading {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Reader => "reader",
            Self::Stat => "stat",
            Self::List => "list",
            Self::Unfinished => "unfinished",
        }
    }

    fn clause(self) -> &'static str {
        match self {
            Self::Get => "GET-1",
            Self::Reader => "READ-1",
            Self::Stat => "STAT-1",
            Self::List => "LIST-5",
            Self::Unfinished => "WRITE-12",
        }
    }

    /// Whether what was begun can break later, and then need not go on.
    fn is_in_pieces(self) -> bool {
        matches!(self, Self::Reader | Self::List | Self::Unfinished)
    }

    async fn read(self, storage: &Storage, directory: &StoragePath) -> Result<Seen, Error> {
        let (context, file) = (&Context::background(), Name::A.within(directory));
        Ok(match self {
            Self::Get => Seen::Bytes(storage.get(context, &file, GetOptions::default()).await?.1),
            Self::Reader => {
                let reader = storage.reader(context, &file, ReadOptions::default()).await?;
                Seen::Bytes(reader.read_to_end(u64::MAX).await?)
            }
            Self::Stat => Seen::Size(storage.stat(context, &file).await?.into_file()?.size),
            Self::List => {
                let options = ListOptions::default().with_page_size(PAGE);
                let entries = storage.list(context, directory, options).await?.collect().await?;
                Seen::Keys(entries.iter().map(|entry| entry.key().to_string()).collect())
            }
            Self::Unfinished => {
                let kept = unfinished(storage, directory).await?;
                Seen::Kept(kept.iter().map(|session| (session.path.to_string(), session.size)).collect())
            }
        })
    }
}

enum Seen {
    Bytes(Bytes),
    Size(u64),
    Keys(Vec<String>),
    Kept(Vec<(String, u64)>),
}

/// Reads what was put, with each fault at each call that the read comes to, and once without.
pub(super) async fn read_at_every_call(case: &Case, reading: Reading) -> Verdict {
    let directory = fresh_directory();
    case.put(&Name::A.within(&directory), NEW).await?;
    let mut keys = vec![Name::A.within(&directory).to_string()];
    for number in 0..ENTRIES {
        let file = directory.child(&format!("b{number:02}")).map_err(Error::from)?;
        case.put_new(&file, 20).await?;
        keys.push(file.to_string());
    }
    let mut kept = Vec::new();
    for name in Name::SESSIONS {
        let path = name.within(&directory);
        case.keep(&path, WriteOptions::default(), KEPT.bytes()).await?;
        kept.push((path.to_string(), KEPT.size));
    }
    for injected in Injected::ALL {
        for number in 1.. {
            let faults = injected.at(number);
            let storage = behind_retry(&case.storage().layered(faults.clone()));
            let told = format!("{} of {directory}, of which call {number} {injected}", reading.name());
            let failed = |expected: &str, found: &str| {
                Failure::new(reading.clause(), expected, found).with_evidence(told.clone())
            };
            match reading.read(&storage, &directory).await {
                Ok(Seen::Bytes(bytes)) => {
                    same_bytes(reading.clause(), &bytes, NEW, format_args!("the answer to {told},"))?
                }
                Ok(Seen::Size(size)) if size == NEW.size => {}
                Ok(Seen::Size(size)) => return Err(failed(&NEW.size.to_string(), &size.to_string()).into()),
                Ok(Seen::Keys(found)) if found == keys => {}
                Ok(Seen::Keys(found)) => return Err(failed(&format!("{keys:?}"), &format!("{found:?}")).into()),
                Ok(Seen::Kept(found)) if found == kept => {}
                Ok(Seen::Kept(found)) => return Err(failed(&format!("{kept:?}"), &format!("{found:?}")).into()),
                // What is under way may end in an error where it cannot go on behind what came.
                Err(_) if injected == Injected::Outage || reading.is_in_pieces() && number > 1 => {}
                Err(error) => return Err(failed("success, for repeating helps", &describe(&error)).into()),
            }
            if faults.calls() < number {
                break;
            }
        }
    }
    Ok(())
}
