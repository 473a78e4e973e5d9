//! How large the blocks of a file are: small enough to hold a few in memory, growing so that their number is enough.

/// The most blocks that a blob is made of.
pub(crate) const MOST_BLOCKS: u64 = 50_000;
/// The largest block that the service takes.
pub(crate) const LARGEST_BLOCK: u64 = 4000 * MIB;
/// The first blocks of a file, where the operator does not choose.
pub(crate) const DEFAULT_BLOCK: u64 = 8 * MIB;
/// The least that an operator can choose.
pub(crate) const LEAST_BLOCK: u64 = 64 * 1024;
/// The most that an operator can choose.
pub(crate) const LARGEST_FIRST_BLOCK: u64 = 256 * MIB;

/// What is kept beside the blocks at a close is at most so much: it is written anew by the next.
const MOST_BESIDE: u64 = 64 * MIB;

const MIB: u64 = 1024 * 1024;

/// So many blocks of a file have the first size.
const LEVEL: u64 = 2_000;
/// So many blocks further on they are twice as large. A block is then about 1/2000 of what stands before it.
const DOUBLING: u64 = 1_300;

/// The size of the blocks of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockPlan {
    first: u64,
}

impl BlockPlan {
    pub(crate) const fn new(first: u64) -> Self {
        Self { first }
    }

    /// The size of a block that has `blocks` before it. The number alone decides, so that it is the same for who resumes.
    pub(crate) fn size(self, blocks: u64) -> u64 {
        let beyond = blocks.saturating_sub(LEVEL);
        let level = self.first.saturating_mul(1 << (beyond / DOUBLING).min(32));
        level.saturating_add(level / DOUBLING * (beyond % DOUBLING)).min(LARGEST_BLOCK)
    }

    /// The least that is worth a block at a close, behind so many; less is kept beside the blocks. It grows with them, so that a
    /// file of many closes does not run out of blocks before it has two TiB.
    pub(crate) fn least(self, blocks: u64) -> u64 {
        self.size(blocks).min(MOST_BESIDE.max(self.first))
    }

    /// How large a file can get.
    pub(crate) fn reach(self) -> u64 {
        (0..MOST_BLOCKS).map(|blocks| self.size(blocks)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIB: u64 = 1 << 40;

    #[test]
    fn fifty_thousand_blocks_reach_three_quarters_of_what_the_service_takes_at_most() {
        let limit = MOST_BLOCKS * LARGEST_BLOCK;
        let reach = BlockPlan::new(DEFAULT_BLOCK).reach();
        assert!(reach > 145 * TIB && reach > limit / 4 * 3 && reach <= limit, "{} TiB", reach / TIB);
    }

    #[test]
    fn blocks_are_small_while_the_file_is() {
        let plan = BlockPlan::new(DEFAULT_BLOCK);
        let blocks_of = |file: u64| {
            let mut size = 0;
            (0..).find(|blocks| {
                size += plan.size(*blocks);
                size >= file
            })
        };
        assert_eq!(plan.size(blocks_of(15 << 30).unwrap()), DEFAULT_BLOCK);
        assert!(plan.size(blocks_of(100 << 30).unwrap()) < 64 * MIB);
    }

    #[test]
    fn many_closes_do_not_use_up_the_blocks() {
        for first in [LEAST_BLOCK, DEFAULT_BLOCK, LARGEST_FIRST_BLOCK] {
            let plan = BlockPlan::new(first);
            let least: u64 = (0..MOST_BLOCKS).map(|blocks| plan.least(blocks)).sum();
            assert!(least > 2 * TIB, "{least} from {first}");
            assert!((0..MOST_BLOCKS).all(|blocks| plan.least(blocks) <= plan.size(blocks)));
        }
    }

    #[test]
    fn blocks_never_shrink_and_never_exceed_the_largest() {
        for first in [LEAST_BLOCK, DEFAULT_BLOCK, LARGEST_FIRST_BLOCK] {
            let plan = BlockPlan::new(first);
            let sizes: Vec<_> = (0..MOST_BLOCKS).map(|blocks| plan.size(blocks)).collect();
            assert_eq!((sizes[0], sizes[49_999]), (first, LARGEST_BLOCK));
            assert!(sizes.is_sorted());
        }
    }
}
