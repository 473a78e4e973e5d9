//! The right drivers that mutants are made of.

use std::sync::Arc;

use bytes::Bytes;
use driver_api::{
    Capabilities, CommitOptions, Context, Durability, Error, ErrorKind, FileInfo, MoveOptions, Namespace, Payload,
    PutOptions, Result, Sessions, StatOptions, StoragePath, async_trait,
};
use driver_inmemory::MemoryDriver;

use crate::mutation::{Broken, Call, Inner, Mutation, Session};

/// What a mutant is right in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// The in-memory driver.
    Plain,
    /// The same, with a namespace that is a tree.
    Tree,
    /// The same, as if several processes shared it: it can be opened a second time.
    Shared,
}

impl Base {
    pub(crate) fn driver(self) -> Inner {
        let memory: Inner = Arc::new(MemoryDriver::default());
        match self {
            Self::Plain => memory,
            Self::Tree => Arc::new(Broken::<Tree>::over(memory)),
            Self::Shared => Arc::new(Broken::<Shared>::over(memory)),
        }
    }
}

/// Takes a path for a file or a directory, and never for both.
#[derive(Debug, Default)]
struct Tree;

/// Fails where a file at `path` would make a path both.
async fn check(inner: &Inner, context: &Context, path: &StoragePath) -> Result<()> {
    let stands = |path: StoragePath| async move {
        inner.stat(context, &path, StatOptions::default()).await.ok().map(|entry| entry.is_directory())
    };
    let mut conflict = stands(path.clone()).await == Some(true);
    for above in path.ancestors() {
        conflict |= stands(above).await == Some(false);
    }
    match conflict {
        true => Err(Error::new(ErrorKind::Conflict, "a directory is there, or a file above")),
        false => Ok(()),
    }
}

#[async_trait]
impl Mutation for Tree {
    fn capabilities(&self, inner: &Inner) -> Capabilities {
        let mut capabilities = inner.capabilities();
        capabilities.namespace = Namespace::Tree;
        capabilities
    }

    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        check(call.inner, call.context, call.path).await?;
        call.forward(payload).await
    }

    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        call.inner.stat(call.context, call.path, StatOptions::default()).await?.into_file()?;
        check(call.inner, call.context, to).await?;
        call.forward(to).await
    }

    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        check(&session.inner, context, options.to.as_ref().unwrap_or(&session.path)).await?;
        session.writer.commit(context, options).await
    }
}

/// Declares what several handles on one memory keep.
#[derive(Debug, Default)]
struct Shared;

#[async_trait]
impl Mutation for Shared {
    fn capabilities(&self, inner: &Inner) -> Capabilities {
        let mut capabilities = inner.capabilities();
        capabilities.shared = true;
        capabilities.durability = Durability::Process;
        capabilities.sessions = Sessions::Fenced;
        capabilities
    }
}

/// The bytes `length` times zero: what stands where a block was lost.
pub(crate) fn zeros(length: u64) -> Bytes {
    Bytes::from(vec![0; length as usize])
}

#[cfg(test)]
mod tests {
    use conformance::{Instance, Options, Outcome, Profile, Target};
    use driver_api::{CancellationToken, Entry, EntryPages, ListOptions};
    use futures_util::StreamExt;

    use super::*;

    /// Keeps a directory in which nothing is, and declares that directories stay, or does not.
    #[derive(Debug, Default)]
    struct LastingDirectory<const DECLARED: bool>;

    #[async_trait]
    impl<const DECLARED: bool> Mutation for LastingDirectory<DECLARED> {
        fn capabilities(&self, inner: &Inner) -> Capabilities {
            let mut capabilities = inner.capabilities();
            capabilities.exact_directories = !DECLARED;
            capabilities
        }

        async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
            let lasting = StoragePath::parse("/zz-lasting")?;
            let shows = call.path.is_root() && !call.options.recursive;
            let pages = call.forward().await?;
            let more = shows.then(|| Ok(vec![Entry::Directory(lasting)]));
            Ok(Box::pin(pages.chain(futures_util::stream::iter(more))))
        }
    }

    async fn outcome<M: Mutation>() -> Outcome {
        let target = Target::new("lasting", || async { Instance::new(Broken::<M>::over(Base::Plain.driver())) });
        let mut options = Options::default();
        options.profile = Profile::Quick;
        options.only = vec!["files::overwriting".to_owned()];
        let report = conformance::run(&[target], &options, &(), &CancellationToken::new()).await.unwrap();
        report.targets[0].results[0].outcome.clone()
    }

    #[tokio::test]
    async fn a_directory_may_stay_where_the_driver_does_not_declare_otherwise() {
        assert!(matches!(outcome::<LastingDirectory<true>>().await, Outcome::Passed));
        let Outcome::Failed { failure, .. } = outcome::<LastingDirectory<false>>().await else {
            panic!("a directory outlived its files")
        };
        assert_eq!(failure.clauses, ["WRITE-4"]);
    }
}
