//! The mutants, by what they break.

mod contexts;
mod files;
mod listing;
mod places;
mod reads;
mod sessions;
mod writes;

use driver_api::{Condition, Context, GetOptions, Result, StoragePath};

use crate::Mutant;
use crate::mutation::Inner;

/// All mutants.
pub fn mutants() -> impl Iterator<Item = &'static Mutant> {
    [
        files::MUTANTS,
        reads::MUTANTS,
        writes::MUTANTS,
        sessions::MUTANTS,
        listing::MUTANTS,
        places::MUTANTS,
        contexts::MUTANTS,
    ]
    .into_iter()
    .flatten()
}

/// Lets whatever else can run do so: the moment in which a state that is broken for a moment is seen.
async fn pause() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

/// The bytes of a file; none where there is no file.
async fn bytes_of(inner: &Inner, context: &Context, path: &StoragePath) -> Result<Option<bytes::Bytes>> {
    match inner.get(context, path, GetOptions::default()).await {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The condition that is left where one that names a version is ignored.
fn without_version(condition: Condition) -> Condition {
    match condition {
        Condition::IfMatch(_) => Condition::None,
        other => other,
    }
}
