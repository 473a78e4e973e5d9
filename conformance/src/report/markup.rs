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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_backticks_is_code() {
        assert_eq!(prose("`get` of `a<b`, whole"), "<code>get</code> of <code>a&lt;b</code>, whole");
    }
}
