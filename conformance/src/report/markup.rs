//! Text within XML and HTML.

use std::fmt;

/// Text as it stands between tags and within quoted attributes. Characters that XML 1.0 cannot hold, escaped or not, are
/// replaced.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: AsRef<str>> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for character in self.0.as_ref().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' | '\r' => f.write_char(character)?,
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => f.write_char(char::REPLACEMENT_CHARACTER)?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A sentence of the contract: what it has between backticks is code.
pub(super) fn prose(text: &str) -> String {
    let mut is_code = false;
    let parts = text.split('`').map(|part| {
        let shown = if is_code { format!("<code>{}</code>", Escaped(part)) } else { Escaped(part).to_string() };
        is_code = !is_code;
        shown
    });
    parts.collect()
}

/// How often a character may be repeated, as the longest names do with theirs.
const REPEATED: usize = 8;

/// The text with `cccccccc…` for a longer row of the same letter.
pub fn without_repetitions(text: &str) -> String {
    let (mut short, mut last, mut count) = (String::new(), None, 0);
    for character in text.chars() {
        count = if last == Some(character) { count + 1 } else { 1 };
        last = Some(character);
        if count <= REPEATED || !character.is_alphanumeric() {
            short.push(character);
        } else if count == REPEATED + 1 {
            short.push('…');
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_are_not_printed() {
        assert_eq!(without_repetitions(&format!("put of /{}", "c".repeat(255))), "put of /cccccccc…");
        assert_eq!(without_repetitions("  1. put 10000000 bytes"), "  1. put 10000000 bytes");
    }

    #[test]
    fn what_is_between_backticks_is_code() {
        assert_eq!(prose("`get` of `a<b`, whole"), "<code>get</code> of <code>a&lt;b</code>, whole");
    }
}
