//! Counts the calls that reach a driver.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::context::Context;
use crate::error::{Error, Operation, Result};
use crate::layers::intercept::{Call, Intercept, Verdict};

/// A layer that counts the calls that go through it, writers' calls included, so that a test can hold an operation to its
/// budget of round trips. Clones count together: keep one, and wrap with the other.
///
/// ```no_run
/// # async fn example(storage: driver_api::Storage) -> driver_api::Result<()> {
/// # use driver_api::{Context, Operation, StoragePath, layers::Count};
/// let count = Count::default();
/// let storage = storage.layered(count.clone());
/// let _ = storage.stat(&Context::background(), &StoragePath::root()).await?;
/// assert_eq!(count.take(), [(Operation::Stat, 1)].into());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Count(Arc<[AtomicU64; Operation::ALL.len()]>);

impl Count {
    /// The calls since the last `take`, by operation; operations that were not called are left out.
    pub fn take(&self) -> BTreeMap<Operation, u64> {
        let counted = Operation::ALL.into_iter().map(|operation| (operation, self.of(operation)));
        counted
            .map(|(operation, count)| (operation, count.swap(0, Ordering::Relaxed)))
            .filter(|(_, n)| *n > 0)
            .collect()
    }

    fn of(&self, operation: Operation) -> &AtomicU64 {
        // `ALL` lists the operations in the order of their declaration, which a test holds it to.
        &self.0[operation as usize]
    }
}

impl Intercept for Count {
    type Pass = ();

    async fn before(&self, context: &Context, call: Call<'_>) -> Result<(Context, ())> {
        self.of(call.operation).fetch_add(1, Ordering::Relaxed);
        Ok((context.clone(), ()))
    }

    async fn after(&self, _: &Context, _: Call<'_>, (): (), _: Duration, _: Option<&Error>) -> Verdict {
        Verdict::Answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_own_counter() {
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, index);
        }
    }
}
