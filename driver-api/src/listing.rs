//! A listing in progress.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;
use futures_util::StreamExt;

use crate::driver::EntryPages;
use crate::entry::Entry;
use crate::error::Result;

/// A listing in progress: a stream of entries that fetches a page when it needs one, or of whole pages.
pub struct Listing {
    pages: EntryPages,
    page: std::vec::IntoIter<Entry>,
}

impl Listing {
    pub(crate) fn new(pages: EntryPages) -> Self {
        Self { pages, page: Vec::new().into_iter() }
    }

    /// Takes what is left of the page at hand, or the next page; none at the end. No page is empty.
    pub async fn next_page(&mut self) -> Option<Result<Vec<Entry>>> {
        if self.page.len() > 0 {
            return Some(Ok(std::mem::take(&mut self.page).collect()));
        }
        self.pages.next().await
    }

    /// Takes all that is left into memory.
    pub async fn collect(mut self) -> Result<Vec<Entry>> {
        let mut all = Vec::new();
        while let Some(page) = self.next_page().await {
            // Most listings are one page, which needs no copy.
            let page = page?;
            if all.is_empty() { all = page } else { all.extend(page) }
        }
        Ok(all)
    }
}

impl Stream for Listing {
    type Item = Result<Entry>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Result<Entry>>> {
        loop {
            if let Some(entry) = self.page.next() {
                return Poll::Ready(Some(Ok(entry)));
            }
            match ready!(self.pages.as_mut().poll_next(task)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(page)) => self.page = page.into_iter(),
            }
        }
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").finish_non_exhaustive()
    }
}
