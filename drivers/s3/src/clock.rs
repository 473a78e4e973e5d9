//! The clock of the service, by which it judges how old a signature is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// How far apart the clocks may be without a thought of it: S3 takes signatures that are off by 15 minutes, and an answer may
/// have been on its way for a while.
const TOLERATED: u64 = 4 * 60;

/// How far the service's clock was ahead of this machine's at its last answer. Where a machine's clock is wrong, only its first
/// request is refused for that.
#[derive(Debug, Default)]
pub(crate) struct ServiceClock {
    ahead_seconds: AtomicI64,
}

impl ServiceClock {
    /// The time to sign with.
    pub(crate) fn now(&self) -> SystemTime {
        let ahead = self.ahead_seconds.load(Ordering::Relaxed);
        let (now, off) = (SystemTime::now(), Duration::from_secs(ahead.unsigned_abs()));
        match ahead.unsigned_abs() {
            ..=TOLERATED => now,
            _ if ahead > 0 => now.checked_add(off).unwrap_or(now),
            _ => now.checked_sub(off).unwrap_or(now),
        }
    }

    /// Takes over what an answer tells. The time of one that a cache has kept is old.
    pub(crate) fn learn(&self, date: Option<SystemTime>, is_cached: bool) {
        let Some(date) = date.filter(|_| !is_cached) else { return };
        let seconds = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        };
        self.ahead_seconds.store(seconds(date) - seconds(SystemTime::now()), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_clock_that_is_far_off_is_followed() {
        let clock = ServiceClock::default();
        let is_about = |time: SystemTime| {
            let off = clock.now().duration_since(time).unwrap_or_else(|error| error.duration());
            off < Duration::from_secs(10)
        };
        let here = SystemTime::now();
        assert!(is_about(here));
        for there in [here + HOUR, here - HOUR] {
            clock.learn(Some(there), false);
            assert!(is_about(there));
            clock.learn(None, false);
            clock.learn(Some(here), true);
            assert!(is_about(there), "what tells nothing changes nothing");
        }
        clock.learn(Some(here + Duration::from_secs(100)), false);
        assert!(is_about(here));
        clock.learn(Some(SystemTime::UNIX_EPOCH), false);
        assert!(is_about(SystemTime::UNIX_EPOCH));
    }
}
