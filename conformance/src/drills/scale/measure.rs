//! What is timed, and how: the median of many calls, each on another entry.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use driver_api::{EntryKey, Error, ListOptions, StoragePath};
use fastrand::Rng;

use crate::case::{Case, path};
use crate::check::{Failure, Verdict};
use crate::growth::{Order, Point};

/// How often a call on one file is timed.
const CALLS: u32 = 33;
/// How often a whole listing is timed.
const LISTINGS: u32 = 3;
/// Below what any clock tells.
const SHORTEST: Duration = Duration::from_nanos(50);
const PAGE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99);

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measured {
    Get,
    Stat,
    /// Of a new file.
    Put,
    Delete,
    /// The listing of the whole directory.
    Listing,
    /// The listing of the directory above, in which nothing else is.
    Parent,
    FirstPage,
    /// A page that begins in the middle.
    LaterPage,
}

/// The entry with this number.
pub(super) fn entry(directory: &StoragePath, number: u32) -> StoragePath {
    path(&format!("{directory}/{number:07}"))
}

impl Measured {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Stat => "stat",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Listing => "list the directory",
            Self::Parent => "list the one above",
            Self::FirstPage => "the first page",
            Self::LaterPage => "a page from the middle",
        }
    }

    pub(super) fn allowed(self) -> Order {
        if self == Self::Listing { Order::Linear } else { Order::Constant }
    }

    /// The median of its cost with so many entries in `directory`.
    pub(super) async fn measure(
        self,
        case: &Case,
        directory: &StoragePath,
        entries: u32,
        random: &mut Rng,
    ) -> Verdict<Point> {
        let calls = if self == Self::Listing { LISTINGS } else { CALLS };
        let mut times = Vec::new();
        for _ in 0..calls {
            let existing = entry(directory, random.u32(..entries));
            let new = path(&format!("{directory}/new"));
            if self == Self::Delete {
                case.put_new(&new, 20).await?;
            }
            let begun = Instant::now();
            let seen = self.call(case, directory, &existing, &new).await?;
            times.push(begun.elapsed().max(SHORTEST));
            if self == Self::Put {
                case.delete(&new).await?;
            }
            let due = match self {
                Self::Listing => entries as usize,
                Self::FirstPage | Self::LaterPage => seen.clamp(1, PAGE.get()),
                _ => 1,
            };
            if seen != due {
                return Err(Failure::new("LIST-5", format_args!("{due} entries by {}", self.name()), seen).into());
            }
        }
        times.sort_unstable();
        Ok(Point { entries, seconds: times[times.len() / 2].as_secs_f64() })
    }

    /// Makes the call, and answers with how many entries it told; 1 where it tells none.
    async fn call(
        self,
        case: &Case,
        directory: &StoragePath,
        existing: &StoragePath,
        new: &StoragePath,
    ) -> Result<usize, Error> {
        let page = ListOptions::default().with_page_size(PAGE);
        match self {
            Self::Get => case.get(existing).await.map(|_| 1),
            Self::Stat => case.stat(existing).await.map(|_| 1),
            Self::Put => case.put_new(new, 20).await.map(|_| 1),
            Self::Delete => case.delete(new).await.map(|()| 1),
            Self::Listing => Ok(case.list(directory, ListOptions::default()).await?.len()),
            Self::Parent => {
                let parent = directory.parent().unwrap_or_else(StoragePath::root);
                Ok(case.list(&parent, ListOptions::default()).await?.len())
            }
            Self::FirstPage => first_page(case, directory, page).await,
            Self::LaterPage => first_page(case, directory, page.with_start_after(EntryKey::file(existing))).await,
        }
    }
}

async fn first_page(case: &Case, directory: &StoragePath, options: ListOptions) -> Result<usize, Error> {
    let mut listing = case.storage().list(case.context(), directory, options).await?;
    match listing.next_page().await {
        Some(page) => page.map(|page| page.len()),
        // Behind the last entry there is none.
        None => Ok(1),
    }
}
