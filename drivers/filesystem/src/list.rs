//! Listings, a page at a time: one directory, or every file below it, depth first.

use std::path::Path;

use driver_api::{Entry, EntryKey, Error, ListOptions, MAX_COMPONENTS, Result, StoragePath};

use crate::errors::{Attempt, present};
use crate::scan::Names;
use crate::store::Store;
use crate::system_calls::{Kind, SystemCalls};

/// The most entries in a page.
pub(crate) const LARGEST_PAGE: usize = 1000;

/// A listing under way. It holds the sorted names of the directories from its top down to where it stands.
#[derive(Debug)]
pub(crate) struct Listing<S: SystemCalls> {
    levels: Vec<Level<S>>,
    start_after: Option<EntryKey>,
    recursive: bool,
    page_size: usize,
}

#[derive(Debug)]
struct Level<S: SystemCalls> {
    directory: S::Directory,
    /// The directory's path with a `/` behind it.
    prefix: String,
    names: Names,
    next: usize,
}

impl<S: SystemCalls> Listing<S> {
    /// Begins a listing; NotFound where there is no directory with something in it. The root is always there.
    pub(crate) fn begin(store: &Store<S>, path: &StoragePath, options: ListOptions) -> Result<Self> {
        let mut listing = Self {
            levels: Vec::new(),
            start_after: options.start_after,
            recursive: options.recursive,
            page_size: options.page_size.map_or(LARGEST_PAGE, |size| size.get().min(LARGEST_PAGE)),
        };
        let opened = match store.root()? {
            None => None,
            Some(root) => present(store.open_directory(&root, path.relative())).trying_to("open the directory")?,
        };
        match opened {
            Some(directory) => {
                let prefix = if path.is_root() { "/".to_owned() } else { format!("{path}/") };
                let names = listing.enter(store, directory, prefix)?;
                if names == 0 && !path.is_root() {
                    return Err(Error::not_found(path));
                }
            }
            None if path.is_root() => {}
            None => return Err(Error::not_found(path)),
        }
        Ok(listing)
    }

    /// The next page; none at the end.
    pub(crate) fn next_page(&mut self, store: &Store<S>) -> Result<Option<Vec<Entry>>> {
        let mut page = Vec::new();
        let mut text = String::new();
        while page.len() < self.page_size
            && let Some(level) = self.levels.last_mut()
        {
            let Some(entry) = level.names.get(level.next) else {
                self.levels.pop();
                continue;
            };
            level.next += 1;
            text.clear();
            text.push_str(&level.prefix);
            text.push_str(entry.name);
            // Directories that others made may lie deeper than a path can.
            let Ok(path) = StoragePath::parse(&text) else { continue };
            let name = Path::new(entry.name);
            if !entry.directory {
                let status = present(store.system.status_at(&level.directory, name)).trying_to("look at a file")?;
                if let Some(status) = status.filter(|status| status.kind == Kind::File) {
                    page.push(Entry::File(Store::<S>::file_info(&path, &status)));
                }
                continue;
            }
            if !self.recursive && !level.names.united {
                page.push(Entry::Directory(path));
                continue;
            }
            let opened = present(store.system.open_directory(&level.directory, name));
            let Some(directory) = opened.trying_to("open a directory")? else { continue };
            if !self.recursive {
                page.push(Entry::Directory(path));
            } else if self.levels.len() < MAX_COMPONENTS {
                text.push('/');
                self.enter(store, directory, std::mem::take(&mut text))?;
            }
        }
        Ok((!page.is_empty()).then_some(page))
    }

    /// Goes down into a directory; how many names it has.
    fn enter(&mut self, store: &Store<S>, directory: S::Directory, prefix: String) -> Result<usize> {
        let names = store.names(&directory)?;
        let count = names.len();
        let next = match self.start_after.as_ref().map(EntryKey::as_str) {
            None => 0,
            Some(key) => match key.strip_prefix(&prefix) {
                Some(below) => names.position_behind(below, self.recursive),
                None if key < prefix.as_str() => 0,
                None => count,
            },
        };
        self.levels.push(Level { directory, prefix, names, next });
        Ok(count)
    }
}
