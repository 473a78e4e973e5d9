//! Long transfers: the pieces in which they go, and their progress on a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::progress::style;

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
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style(template));
    bar.with_message(name.to_owned())
}
