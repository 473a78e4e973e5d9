//! Checks, again and again.

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Health;
use super::checks::Check;

/// Repeats a check for ever, the first time at once.
pub(super) async fn watch(health: Health, check: Check) {
    let mut ticks = interval_at(Instant::now(), check.interval);
    // A check that takes longer than its interval is not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0u32;
    loop {
        ticks.tick().await;
        match check.run().await {
            Ok(()) => {
                failures = 0;
                health.update(&check.name, Ok(()));
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                if failures >= check.threshold {
                    health.update(&check.name, Err(error));
                } else {
                    tracing::debug!(check = check.name, %error, failures, "a health check failed, and may yet succeed");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::health::checks::What;

    /// Fails from its third run to its eighth, except in the fifth.
    fn script() -> Result<(), String> {
        static RUN: AtomicUsize = AtomicUsize::new(0);
        let run = RUN.fetch_add(1, Ordering::SeqCst) + 1;
        if (3..=8).contains(&run) && run != 5 { Err(format!("run {run}")) } else { Ok(()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_fails_after_as_many_failures_in_a_row_as_it_may() {
        let health = Health::new();
        let check = Check {
            name: "it".to_owned(),
            what: What::Scripted(script),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            threshold: 3,
        };
        let task = tokio::spawn(watch(health.clone(), check));
        // Between two runs.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut failing = Vec::new();
        for _ in 1..=10 {
            failing.push(health.failing());
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        assert_eq!(failing, [false, false, false, false, false, false, false, true, false, false]);
        task.abort();
    }
}
