//! What is pushed: contents that follow from a number, so that nobody has to keep them to know what must come back.

use blobstore::Digest;
use fastrand::Rng;

/// Contents of so many numbers many clients push; the others are one client's own.
const SHARED: u64 = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    number: u64,
    pub(super) size: usize,
    pub(super) digest: Digest,
}

impl Content {
    pub(super) fn by_chance(random: &mut Rng) -> Self {
        let number = if random.bool() { random.u64(0..SHARED) } else { random.u64(SHARED..) };
        let bytes = bytes(number);
        Self { number, size: bytes.len(), digest: Digest::of(&bytes) }
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        bytes(self.number)
    }

    /// Whether others may have it as well.
    pub(super) fn is_shared(self) -> bool {
        self.number < SHARED
    }
}

fn bytes(number: u64) -> Vec<u8> {
    if number == 0 {
        return Vec::new();
    }
    let mut random = Rng::with_seed(number);
    // Most layers are small. The largest are more than one part of an upload to S3.
    let size = match random.u8(0..20) {
        0..=9 => random.usize(10..5_000),
        10..=18 => random.usize(5_000..300_000),
        _ => random.usize(300_000..7_000_000),
    };
    let block: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(size.min(4099)).collect();
    block.into_iter().cycle().take(size).collect()
}
