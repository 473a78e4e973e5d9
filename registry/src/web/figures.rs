//! Sizes, times and digests as people read them, with what they are exactly beside it.

use std::fmt::{Display, Formatter};

use blobstore::Digest;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::html::{Element, element};

/// How many characters of a digest are shown where many stand together: as many as other programs show.
const DIGEST_CHARACTERS: usize = 12;

/// So many bytes.
pub(super) fn size(bytes: u64) -> Element {
    element("data").attribute("value", bytes).attribute("title", format_args!("{bytes} bytes")).text(readable(bytes))
}

fn readable(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    // As it is rounded, so that nothing is shown as 1024.0.
    while amount >= 1023.95
        && let Some(larger) = units.next()
    {
        amount /= 1024.0;
        unit = Some(larger);
    }
    format!("{amount:.1} {}", unit.unwrap_or(&""))
}

/// A moment in UTC; none where the text is no moment.
pub(super) fn moment(text: &str) -> Option<Element> {
    let at =
        OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?.replace_nanosecond(0).ok()?;
    let exact = at.format(&Rfc3339).ok()?;
    let readable = exact.trim_end_matches('Z').replace('T', " ");
    Some(element("time").attribute("datetime", &exact).text(readable).text(" UTC"))
}

/// The beginning of a digest: enough to tell it from its neighbours.
pub(super) fn beginning(digest: &Digest) -> String {
    let text = digest.to_string();
    match text.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}…", hex.get(..DIGEST_CHARACTERS).unwrap_or(hex)),
        None => text,
    }
}

/// A text of others, of which no more than so many characters are shown.
pub(super) struct Shortened<'a>(pub(super) &'a str, pub(super) usize);

impl Shortened<'_> {
    /// Whether something of it is not shown.
    pub(super) fn is_cut(&self) -> bool {
        self.0.chars().nth(self.1).is_some()
    }
}

impl Display for Shortened<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.0.char_indices().nth(self.1) {
            Some((end, _)) => write!(f, "{}…", self.0.get(..end).unwrap_or_default()),
            None => f.write_str(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::html::Html;
    use super::*;

    #[test]
    fn sizes_are_rounded_to_three_or_four_digits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (5_242_880, "5.0 MiB"),
            (3_650_722_202, "3.4 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(readable(bytes), expected);
        }
    }

    #[test]
    fn moments_are_those_of_utc() {
        let shown = |text: &str| moment(text).map(Html::document);
        let expected =
            "<!doctype html><time datetime=\"2024-02-29T22:30:00Z\">2024-02-29 22:30:00 UTC</time>\n".to_owned();
        assert_eq!(shown("2024-03-01T00:30:00.123456789+02:00"), Some(expected));
        for text in ["", "yesterday", "2024-03-01", "9999-12-31T23:59:59-01:00"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(Shortened("äöü", 2).to_string(), "äö…");
        assert_eq!(Shortened("äöü", 3).to_string(), "äöü");
    }
}
