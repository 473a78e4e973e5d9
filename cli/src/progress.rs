//! How far work has come whose length is no number of bytes, on a terminal.

use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How far work has come that has no length in bytes; nothing where standard error is no terminal.
pub(crate) struct Share {
    bar: ProgressBar,
    /// Whether it is known which share is done.
    is_known: bool,
}

/// Steps of a bar, which tells a share.
const STEPS: u64 = 10_000;

/// Begins to show how far work has come.
pub(crate) fn share() -> Share {
    Share { bar: spinner(), is_known: false }
}

impl Share {
    /// What is worked at now, where it is not known how much there is.
    pub(crate) fn at(&mut self, what: &dyn Display) {
        if std::mem::take(&mut self.is_known) {
            self.bar.set_style(ProgressStyle::default_spinner());
        }
        self.bar.set_message(what.to_string());
    }

    /// Which share of the work is done, between 0 and 1.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and STEPS")]
    pub(crate) fn reached(&mut self, share: f64) {
        if !std::mem::replace(&mut self.is_known, true) {
            self.bar.set_style(style("{wide_bar} {percent} % {eta}"));
            self.bar.set_length(STEPS);
            self.bar.reset_eta();
        }
        self.bar.set_position((share.clamp(0.0, 1.0) * STEPS as f64) as u64);
    }

    /// Does what writes lines, which a bar would be mixed up with.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A style of indicatif's; the plain one where the template is none.
pub(crate) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A sign of life on standard error for work whose end is not known; hidden where standard error is no terminal.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}
