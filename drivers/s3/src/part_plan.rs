//! How large each part of an upload is.

/// The most parts of an upload.
pub(crate) const MAX_PARTS: usize = 10_000;
/// The largest part.
pub(crate) const MAX_PART: u64 = 5 << 30;
/// The smallest part, but for the last of an upload.
pub(crate) const MIN_PART: u64 = 5 << 20;
/// As much as an upload can hold.
pub(crate) const MAX_OBJECT: u64 = MAX_PARTS as u64 * MAX_PART;

/// After how many parts the size doubles, where the limit on the object allows it.
const USUAL_STEP: usize = 1000;

/// The sizes of the parts of an upload whose length nobody knows: small in the beginning, which bounds memory, and doubling
/// again and again, so that the limit on the number of parts is not met before the limit on the object (WRITE-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartPlan {
    first: u64,
    /// How many parts have one size before it doubles.
    step: usize,
}

impl PartPlan {
    /// The plan that begins with parts of `first` bytes and reaches `limit` bytes. It begins with larger ones where no
    /// growth would do, as for the whole of [`MAX_OBJECT`].
    pub(crate) fn new(first: u64, limit: u64) -> Self {
        let mut first = first.clamp(MIN_PART, MAX_PART);
        loop {
            // The shorter the step, the more an upload holds.
            let steps: Vec<usize> = (1..=USUAL_STEP).collect();
            let reaching = steps.partition_point(|step| Self { first, step: *step }.reaches(limit));
            match reaching.checked_sub(1) {
                Some(last) => return Self { first, step: steps[last] },
                None if first == MAX_PART => return Self { first, step: USUAL_STEP },
                None => first = (first * 2).min(MAX_PART),
            }
        }
    }

    /// The bytes of part `number`, counted from 1.
    pub(crate) fn size(&self, number: usize) -> u64 {
        let doublings = (number.saturating_sub(1) / self.step).min(u64::BITS as usize - 1) as u32;
        self.first.checked_mul(1 << doublings).map_or(MAX_PART, |size| size.min(MAX_PART))
    }

    fn reaches(&self, limit: u64) -> bool {
        (1..=MAX_PARTS).map(|number| self.size(number)).sum::<u64>() >= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const TIB: u64 = 1 << 40;

    #[test]
    fn ten_thousand_parts_reach_every_limit() {
        for first in [5 * MIB, 8 * MIB, 10 * MIB, 64 * MIB, MAX_PART] {
            for limit in [1, TIB, 5 * TIB, 48 * TIB, MAX_OBJECT] {
                let plan = PartPlan::new(first, limit);
                assert!(plan.reaches(limit), "{first} {limit}");
                let sizes: Vec<_> = (1..=MAX_PARTS).map(|number| plan.size(number)).collect();
                assert!(sizes.is_sorted() && sizes[0] >= MIN_PART && sizes[MAX_PARTS - 1] <= MAX_PART);
            }
        }
    }

    #[test]
    fn parts_stay_small_for_as_long_as_the_limit_allows() {
        let plan = PartPlan::new(8 * MIB, 5 * TIB);
        assert_eq!([1, 1000, 1001, 2001].map(|number| plan.size(number)), [8 * MIB, 8 * MIB, 16 * MIB, 32 * MIB]);
        let plan = PartPlan::new(8 * MIB, 48 * TIB);
        assert_eq!(plan.size(1), 8 * MIB);
        assert_eq!(PartPlan::new(8 * MIB, MAX_OBJECT).size(1), MAX_PART);
    }
}
