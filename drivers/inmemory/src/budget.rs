//! How many bytes the store may hold: published files, kept sessions and open writers together.

use std::sync::atomic::{AtomicU64, Ordering};

use driver_api::{Error, ErrorKind, Result};

/// A limit and what of it is taken. What a reader still reads of a replaced or deleted file does not count.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    held: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self { limit: limit.unwrap_or(u64::MAX), held: AtomicU64::new(0) }
    }

    /// Takes bytes in exchange for others that become free, or takes nothing and answers NoSpace.
    pub(crate) fn exchange(&self, freed: u64, taken: u64) -> Result<()> {
        let within_limit = |held: u64| {
            let after = (held - freed).checked_add(taken)?;
            // What does not grow the store is always let through, so that a full one can be put right.
            (after <= self.limit || taken <= freed).then_some(after)
        };
        match self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within_limit) {
            Ok(_) => Ok(()),
            Err(held) => Err(Error::new(
                ErrorKind::NoSpace,
                format!(
                    "{taken} bytes more are too many: {held} of {} are taken; delete files or raise the limit",
                    self.limit
                ),
            )),
        }
    }

    /// Gives back what was taken.
    pub(crate) fn free(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How many bytes are taken.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_inclusive_and_a_refusal_takes_nothing() {
        let budget = Budget::new(Some(10));
        budget.exchange(0, 10).unwrap();
        assert_eq!(budget.exchange(0, 1).unwrap_err().kind(), ErrorKind::NoSpace);
        budget.exchange(10, 10).unwrap();
        assert_eq!(budget.exchange(4, 5).unwrap_err().kind(), ErrorKind::NoSpace);
        budget.free(4);
        assert_eq!(budget.held(), 6);
    }
}
