//! Values that people write with a unit, and values that nobody is to see.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::decode::quote;

/// A duration in Go's syntax: `168h`, `1h30m`, `100ms`, `1.5s`; `0` alone needs no unit. It is never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ReadableDuration(pub Duration);

impl TryFrom<String> for ReadableDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_duration(&text).map(Self).ok_or_else(|| {
            let units = "with the units ns, us, ms, s, m and h";
            format!("expected a duration such as 168h, 1m30s or 100ms, {units}; found {}", quote(&text))
        })
    }
}

const DURATION_UNITS: &[(&str, u128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut nanoseconds: u128 = 0;
    loop {
        let (number, behind) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, behind) = split(behind, |c| !c.is_ascii_digit() && c != '.');
        let (_, factor) = DURATION_UNITS.iter().find(|(name, _)| *name == unit)?;
        nanoseconds = nanoseconds.checked_add(scaled(number, *factor)?)?;
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    // Go's durations are 64 bits of nanoseconds, 292 years.
    i64::try_from(nanoseconds).ok().map(|nanoseconds| Duration::from_nanos(nanoseconds.unsigned_abs()))
}

/// A number of bytes: `10485760`, `10MiB`, `64KiB`, `5GB`. Units with an `i` count in 1024s, the others in 1000s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ByteSize(pub u64);

impl TryFrom<String> for ByteSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_bytes(&text).map(Self).ok_or_else(|| {
            let units = "with the units B, KB, MB, GB, TB and KiB, MiB, GiB, TiB";
            format!("expected a number of bytes such as 10485760 or 10MiB, {units}; found {}", quote(&text))
        })
    }
}

impl From<ByteSize> for u64 {
    fn from(ByteSize(bytes): ByteSize) -> Self {
        bytes
    }
}

const SIZE_UNITS: &[(&str, u128)] = &[
    ("", 1),
    ("b", 1),
    ("kb", 1000),
    ("mb", 1000 * 1000),
    ("gb", 1000 * 1000 * 1000),
    ("tb", 1000 * 1000 * 1000 * 1000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text, |c| c.is_ascii_digit() || c == '.');
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
    if *factor == 1 && number.contains('.') {
        return None;
    }
    u64::try_from(scaled(number, *factor)?).ok()
}

/// The longest beginning of `text` whose characters are `part`, and what is behind it.
fn split(text: &str, part: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !part(c)).unwrap_or(text.len()))
}

/// A decimal number times `factor`, without rounding errors; what is smaller than one is cut off.
fn scaled(number: &str, factor: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
    // Digits behind the 18th are worth less than a nanosecond of an hour, or a byte of a TiB.
    let fraction = fraction.get(..fraction.len().min(18))?;
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole = digits(whole)?.checked_mul(factor)?;
    whole.checked_add(digits(fraction)?.checked_mul(factor)? / scale)
}

/// Text that no output shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// The text itself.
    pub fn reveal(self) -> String {
        self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, milliseconds) in [
            ("168h", 604_800_000),
            ("1h30m", 5_400_000),
            ("100ms", 100),
            ("1.5s", 1_500),
            (".5s", 500),
            ("2s500ms", 2_500),
            ("0", 0),
            ("0s", 0),
            ("+1m", 60_000),
            ("1000us", 1),
            ("1000000ns", 1),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in
            ["", "168", "h", "1", "-1s", "1 s", "1d", "1.2.3s", ".s", "1H", "s1", "1h 30m", "9999999999h", "1e3s"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("10485760", 10 << 20),
            ("10MiB", 10 << 20),
            ("10 mib", 10 << 20),
            ("1.5KiB", 1536),
            ("5GB", 5_000_000_000),
            ("7b", 7),
        ] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "10M", "10k", "1.5", "1.5B", "1..5KiB", "99999999TiB", "0x10", "10MiBs"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_values_never_panics(text in "[0-9.]{0,40}[a-zµ ]{0,4}.{0,4}") {
            let _ = (parse_duration(&text), parse_bytes(&text));
        }

        #[test]
        fn whole_seconds_are_exact(seconds in 0u64..9_000_000_000) {
            prop_assert_eq!(parse_duration(&format!("{seconds}s")), Some(Duration::from_secs(seconds)));
        }
    }
}
