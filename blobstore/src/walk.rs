//! Every directory that a repository could have, in the order of names with a `/` behind each.

use std::collections::VecDeque;

use driver_api::{Context, Entry, EntryKey, ListOptions, Listing, Storage, StoragePath};

use crate::error::Result;
use crate::layout::Directory;
use crate::listed::list_if_any;
use crate::names::{RepositoryName, is_component};

/// A walk over the directories of repositories. Each costs a listing; what is not taken costs nothing.
#[derive(Debug)]
pub(crate) struct Walk {
    storage: Storage,
    /// The directories that are still to be opened, from the top down, each with the entry behind which it begins.
    unopened: VecDeque<(StoragePath, Option<EntryKey>)>,
    /// The directories that are being listed, the innermost last: that is the one that was yielded last.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    listing: Listing,
    page: std::vec::IntoIter<Entry>,
}

impl Walk {
    /// The directories behind that of `last`, or all.
    pub(crate) fn behind(storage: Storage, last: Option<&RepositoryName>) -> Self {
        let mut unopened = VecDeque::new();
        let mut directory = Directory::Repositories.path();
        for component in last.iter().flat_map(|name| name.components()) {
            // A name is made of components of paths, and a directory is no longer than the files in it.
            let Ok(child) = directory.child(component) else { break };
            unopened.push_back((directory, Some(EntryKey::directory(&child))));
            directory = child;
        }
        // What lies in the last one comes next.
        unopened.push_back((directory, None));
        Self { storage, unopened, open: Vec::new() }
    }

    /// The next directory whose path makes a name; none at the end.
    pub(crate) async fn next(&mut self, context: &Context) -> Result<Option<RepositoryName>> {
        while let Some((directory, behind)) = self.unopened.pop_front() {
            self.open.extend(list(&self.storage, context, &directory, behind).await?);
        }
        loop {
            let Some(innermost) = self.open.last_mut() else { return Ok(None) };
            let Some(entry) = innermost.page.next() else {
                match innermost.listing.next_page().await {
                    Some(page) => innermost.page = page?.into_iter(),
                    None => drop(self.open.pop()),
                }
                continue;
            };
            let Entry::Directory(directory) = entry else { continue };
            let below = directory.strip_directory(&Directory::Repositories.path());
            let name = below.and_then(|path| path.relative().parse::<RepositoryName>().ok());
            let Some(name) = name.filter(|_| directory.name().is_some_and(is_component)) else { continue };
            // None where it went meanwhile.
            if let Some(opened) = list(&self.storage, context, &directory, None).await? {
                self.open.push(opened);
                return Ok(Some(name));
            }
        }
    }

    /// Whether the repository that was yielded last has this directory of its own.
    pub(crate) fn has(
        &self,
        context: &Context,
        directory: &Directory<'_>,
    ) -> impl Future<Output = Result<bool>> + use<> {
        let path = directory.path();
        let known = self.open.last().map_or(Some(false), |opened| {
            let (key, page) = (EntryKey::directory(&path), opened.page.as_slice());
            match page.binary_search_by(|entry| entry.key().cmp(&key)) {
                Ok(_) => Some(true),
                // Perhaps behind this page, which repositories below can fill.
                Err(at) if at == page.len() && at > 0 => None,
                Err(_) => Some(false),
            }
        });
        let (storage, context) = (self.storage.clone(), context.clone());
        async move {
            match known {
                Some(known) => Ok(known),
                None => match storage.stat(&context, &path).await {
                    Ok(entry) => Ok(entry.is_directory()),
                    Err(error) if error.is_not_found() => Ok(false),
                    Err(error) => Err(error.into()),
                },
            }
        }
    }
}

/// Begins to list a directory; none where it is gone.
async fn list(
    storage: &Storage,
    context: &Context,
    directory: &StoragePath,
    behind: Option<EntryKey>,
) -> Result<Option<Open>> {
    let mut options = ListOptions::default();
    options.start_after = behind;
    let Some(mut listing) = list_if_any(storage, context, directory, options).await? else { return Ok(None) };
    let page = listing.next_page().await.transpose()?.unwrap_or_default().into_iter();
    Ok(Some(Open { listing, page }))
}
