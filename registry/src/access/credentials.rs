//! What a client says of itself in `Authorization`. Whatever it sends, it is credentials or it is not.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Much more than a name and a password have.
const MAX_BASIC: usize = 4096;

/// Some clients leave the padding away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a header says, for one scheme.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// Nothing, or something for another scheme.
    Nothing,
    /// Something that nobody can be asked to understand: more than one header, or no text.
    Nonsense,
    /// What stands behind the name of the scheme.
    This(&'a str),
}

/// What the headers say for a scheme.
pub(super) fn said<'a>(headers: &'a HeaderMap, scheme: &str) -> Said<'a> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Said::Nothing };
    // Which of several counts is what proxies and servers disagree about.
    let (None, Ok(value)) = (values.next(), value.to_str()) else { return Said::Nonsense };
    match value.trim().split_once(' ') {
        Some((name, rest)) if name.eq_ignore_ascii_case(scheme) => Said::This(rest.trim()),
        _ => Said::Nothing,
    }
}

/// A name and a password.
pub(super) struct Basic {
    pub(super) user: String,
    pub(super) password: Vec<u8>,
}

/// The name and the password that the headers have, if they have both.
pub(super) fn basic(headers: &HeaderMap) -> Option<Basic> {
    let Said::This(encoded) = said(headers, "Basic") else { return None };
    if encoded.len() > MAX_BASIC {
        return None;
    }
    let decoded = BASE64.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = (std::str::from_utf8(&decoded[..colon]).ok()?, &decoded[colon + 1..]);
    // The name is written to logs; bcrypt would take a password to end at its first NUL.
    let is_sane = !user.is_empty() && !user.contains(char::is_control) && !password.contains(&0);
    is_sane.then(|| Basic { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let value = |value: &&[u8]| Some((AUTHORIZATION, HeaderValue::from_bytes(value).ok()?));
        values.iter().filter_map(value).collect()
    }

    fn pair(value: &str) -> Option<(String, Vec<u8>)> {
        basic(&headers(&[value.as_bytes()])).map(|basic| (basic.user, basic.password))
    }

    fn encoded(plain: &[u8]) -> String {
        format!("Basic {}", BASE64.encode(plain))
    }

    #[test]
    fn a_name_and_a_password() {
        let expected = Some(("Aladdin".to_owned(), b"open sesame".to_vec()));
        assert_eq!(pair("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), expected);
        assert_eq!(pair("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ"), expected);
        assert_eq!(pair(&encoded(b"a:b:c")), Some(("a".to_owned(), b"b:c".to_vec())));
        assert_eq!(pair(&encoded(b"a:")), Some(("a".to_owned(), Vec::new())));
        assert_eq!(pair(&encoded(b"a:\xff")), Some(("a".to_owned(), vec![0xff])));
    }

    #[test]
    fn what_is_neither() {
        for plain in [&b""[..], b":", b":b", b"ab", b"\xff:b", b"a\n:b", b"a:b\0c", &[b':'; 8000]] {
            assert_eq!(pair(&encoded(plain)), None, "{plain:?}");
        }
        for value in ["", "Basic", "Basic ", "Basic !!!", "Bearer QTpi", "BasicQTpi", "Basic QTpi QTpi"] {
            assert_eq!(pair(value), None, "{value}");
        }
        assert_eq!(said(&headers(&[b"Basic QTpi", b"Basic QTpi"]), "basic"), Said::Nonsense);
        assert_eq!(said(&headers(&[b"Basic \xff"]), "basic"), Said::Nonsense);
    }

    proptest! {
        #[test]
        fn nothing_panics(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..3)) {
            let values: Vec<_> = values.iter().map(Vec::as_slice).collect();
            basic(&headers(&values));
            let encoded = values.first().map(|plain| encoded(plain)).unwrap_or_default();
            basic(&headers(&[encoded.as_bytes()]));
        }
    }
}
