//! Long transfers: the pieces in which they go, and their progress on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How much is held of a transfer at once: 1 MiB.
pub(crate) const CHUNK: usize = 1024 * 1024;
/// What is smaller is over before one could read of its progress.
const LONG: u64 = 8 * 1024 * 1024;

/// A bar on standard error for `length` bytes, or for as many as come; hidden where standard error is no terminal, and for
/// short transfers.
pub(crate) fn progress(name: &str, length: Option<u64>) -> ProgressBar {
    if length.is_some_and(|length| length < LONG) || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match length {
        Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{msg} {spinner} {bytes} {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style);
    bar.with_message(name.to_owned())
}

/// A sign of life on standard error for work whose end is not known; hidden where standard error is no terminal.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}
