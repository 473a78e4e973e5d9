//! When a certificate is good. What checks chains does not tell.

use time::{Date, Month, PrimitiveDateTime, Time};

use super::der::{self, Values};

/// From when and until when a certificate is good, in seconds since 1970.
pub(super) fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    let mut fields = Values(certificate).sequence()?.sequence()?;
    let (tag, _) = fields.any()?;
    // Certificates of the first version don't say so, and begin with their number.
    if tag == der::VERSION {
        fields.next(der::INTEGER)?;
    }
    let _algorithm = fields.sequence()?;
    let _issuer = fields.sequence()?;
    let mut validity = fields.sequence()?;
    Some((instant(validity.any()?)?, instant(validity.any()?)?))
}

fn instant((tag, text): (u8, &[u8])) -> Option<i64> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, digits.len()) {
        (der::UTC_TIME, 12) => {
            let (year, rest) = digits.split_at(2);
            let year: i32 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (der::GENERALIZED_TIME, 14) => {
            let (year, rest) = digits.split_at(4);
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let field = |index: usize| rest.get(2 * index..2 * index + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(field(0)?).ok()?, field(1)?).ok()?;
    let time = Time::from_hms(field(2)?, field(3)?, field(4)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_before = date_time_ymd(2001, 2, 3);
        params.not_after = date_time_ymd(2055, 2, 3);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_forms_of_time() {
        let expected = [date_time_ymd(2001, 2, 3), date_time_ymd(2055, 2, 3)].map(|time| time.unix_timestamp());
        assert_eq!(validity(&certificate()), Some((expected[0], expected[1])));
        assert_eq!(instant((der::UTC_TIME, b"700101000000Z")), Some(0));
        for text in [&b""[..], b"Z", b"700101000000", b"701301000000Z", b"70010100000+Z", b"19700101000000Z"] {
            assert_eq!(instant((der::UTC_TIME, text)), None);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(place in 0usize..200, byte in any::<u8>(), end in 0usize..400) {
            let mut certificate = certificate();
            certificate[place] = byte;
            let end = end.min(certificate.len());
            validity(&certificate[..end]);
        }
    }
}
