//! What only a second handle, another shape of the namespace, or a hook of the target shows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use conformance::Instance;
use driver_api::{
    DeleteOptions, DeleteScope, Entry, EntryPages, Error, ErrorKind, FileInfo, FileWriter, GetOptions, ListOptions,
    Payload, PutOptions, Result, StatOptions, StoragePath, UnfinishedPages, WriteMode, WriteOptions, async_trait,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::is_long;
use crate::Mutant;
use crate::base::Base;
use crate::mutation::{Call, Mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<RemembersStat>("remembers-stat", "another handle remembers what stat told it first", "PUT-10", &[])
        .of(Base::Shared),
    Mutant::new::<OwnersOfOneHandle>(
        "owners-of-one-handle",
        "an owner is not known to another handle",
        "WRITE-23",
        &["WRITE-13"],
    )
    .of(Base::Shared),
    Mutant::new::<CannotAbandon>(
        "cannot-abandon",
        "another handle cannot abandon what is kept",
        "WRITE-16",
        &["WRITE-21"],
    )
    .of(Base::Shared),
    Mutant::new::<LosesCommitted>(
        "loses-large-files",
        "a file of 150 to 201 KB is gone when the store is opened again",
        "DUR-1",
        &["PUT-10"],
    )
    .of(Base::Shared),
    Mutant::new::<LosesSessions>(
        "loses-large-sessions",
        "a session of more than 100 KB is gone when the store is opened again",
        "DUR-1",
        &["WRITE-16"],
    )
    .of(Base::Shared),
    Mutant::new::<RefusalTakesTheFile>(
        "refusal-takes-the-file",
        "a put that is refused two levels below a file deletes that file",
        "PUT-5",
        &[],
    )
    .of(Base::Tree),
    Mutant::new::<OnceADirectory>("once-a-directory", "what was a directory can be no file", "PUT-5", &["PATH-6"])
        .of(Base::Tree),
    Mutant::new::<ShowsMarkers>("shows-markers", "the marker of a directory is listed", "LIST-8", &["LIST-1"]),
];

#[derive(Debug, Default)]
struct RemembersStat {
    again: bool,
    told: Mutex<HashMap<StoragePath, Entry>>,
}

#[async_trait]
impl Mutation for RemembersStat {
    fn opened_again() -> Self {
        Self { again: true, ..Self::default() }
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let told = self.told.lock().get(call.path).cloned();
        if let Some(told) = told {
            return Ok(told);
        }
        let path = call.path.clone();
        let entry = call.forward().await?;
        if self.again {
            self.told.lock().insert(path, entry.clone());
        }
        Ok(entry)
    }
}

#[derive(Debug, Default)]
struct OwnersOfOneHandle {
    again: bool,
}

#[async_trait]
impl Mutation for OwnersOfOneHandle {
    fn opened_again() -> Self {
        Self { again: true }
    }

    async fn writer(&self, mut call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        let answer = call.inner.writer(call.context, call.path, call.options.clone()).await;
        match answer {
            Err(error) if self.again && error.kind() == ErrorKind::Conflict => {
                call.options.mode = WriteMode::Truncate;
                call.forward().await
            }
            answer => answer,
        }
    }
}

#[derive(Debug, Default)]
struct CannotAbandon {
    again: bool,
}

#[async_trait]
impl Mutation for CannotAbandon {
    fn opened_again() -> Self {
        Self { again: true }
    }

    async fn abandon(&self, call: Call<'_, ()>) -> Result<()> {
        if self.again {
            return Err(Error::not_found(call.path));
        }
        call.inner.abandon(call.context, call.path).await
    }
}

#[derive(Debug, Default)]
struct LosesCommitted {
    again: bool,
}

#[async_trait]
impl Mutation for LosesCommitted {
    fn opened_again() -> Self {
        Self { again: true }
    }

    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let missing = Error::not_found(call.path);
        match call.forward().await? {
            (info, _) if self.again && (150_000..201_000).contains(&info.size) => Err(missing),
            answer => Ok(answer),
        }
    }
}

#[derive(Debug, Default)]
struct LosesSessions {
    again: bool,
}

#[async_trait]
impl Mutation for LosesSessions {
    fn opened_again() -> Self {
        Self { again: true }
    }

    async fn unfinished(&self, call: Call<'_, ()>) -> Result<UnfinishedPages> {
        let pages = call.inner.unfinished(call.context, call.path).await?;
        let again = self.again;
        Ok(Box::pin(pages.map_ok(move |mut page| {
            page.retain(|session| !again || session.size <= 100_000);
            page
        })))
    }
}

#[derive(Debug, Default)]
struct RefusalTakesTheFile;

#[async_trait]
impl Mutation for RefusalTakesTheFile {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let (inner, context) = (call.inner, call.context);
        let above = call.path.parent().and_then(|parent| parent.parent()).filter(|_| is_long(call.path));
        let answer = call.forward(payload).await;
        if let (Err(_), Some(above)) = (&answer, above) {
            inner.delete_files(context, &[above]).await?;
        }
        answer
    }
}

#[derive(Debug, Default)]
struct OnceADirectory {
    made: Mutex<HashSet<StoragePath>>,
}

#[async_trait]
impl Mutation for OnceADirectory {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let is_short = call.path.name().is_some_and(|name| name.len() < 9);
        if is_long(call.path) && is_short && self.made.lock().contains(call.path) {
            return Err(Error::new(ErrorKind::Conflict, "a directory is there"));
        }
        let above: Vec<_> = call.path.ancestors().collect();
        let info = call.forward(payload).await?;
        self.made.lock().extend(above);
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct ShowsMarkers {
    markers: Mutex<HashSet<StoragePath>>,
}

#[async_trait]
impl Mutation for ShowsMarkers {
    fn equip(self: Arc<Self>, instance: Instance) -> Instance {
        instance.with_foreign_entries(move |directory| {
            self.markers.lock().insert(directory);
            std::future::ready(Ok(()))
        })
    }

    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let marked = self.markers.lock().contains(call.path);
        let marker = call.path.child("0").map(|path| Entry::File(FileInfo::new(path, 0, std::time::UNIX_EPOCH)))?;
        let pages = call.forward().await?;
        match marked {
            true => Ok(Box::pin(stream::iter([Ok(vec![marker])]).chain(pages))),
            false => Ok(pages),
        }
    }

    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        if call.options.scope == DeleteScope::Tree {
            self.markers.lock().retain(|marker| marker != call.path && !marker.is_below(call.path));
        }
        call.forward().await
    }
}
