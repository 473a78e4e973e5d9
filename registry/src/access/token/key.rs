//! Keys that verify signatures, and their names.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::der::{self, Values};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// In bytes: shorter keys can be broken, longer ones take long.
const RSA_LENGTHS: std::ops::RangeInclusive<usize> = 256..=1024;
const ED25519_LENGTH: usize = 32;
/// In front of the coordinates of a point.
const UNCOMPRESSED: u8 = 4;

/// A key that verifies signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// The modulus and the exponent, without zeros in front.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The point, uncompressed.
    Ec(Curve, Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    const fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => P256,
            Self::P384 => P384,
            Self::P521 => P521,
        }
    }

    /// The bytes of a coordinate.
    const fn length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// A key in JSON, as far as it is public.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Jwk {
    #[serde(default)]
    pub(super) kty: String,
    pub(super) kid: Option<String>,
    pub(super) alg: Option<String>,
    #[serde(rename = "use")]
    pub(super) usage: Option<String>,
    #[serde(default)]
    pub(super) x5c: Vec<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl PublicKey {
    /// The key in a `SubjectPublicKeyInfo`.
    pub(super) fn from_spki(spki: &[u8]) -> Option<Self> {
        let mut outer = Values(spki);
        let mut values = outer.sequence()?;
        let mut algorithm = values.sequence()?;
        let bits = values.bits()?;
        if !values.is_empty() || !outer.is_empty() {
            return None;
        }
        match algorithm.next(der::OID)? {
            RSA => {
                let mut outer = Values(bits);
                let mut numbers = outer.sequence()?;
                let (n, e) = (numbers.unsigned()?, numbers.unsigned()?);
                Self::rsa(n, e)
            }
            EC => {
                let name = algorithm.next(der::OID)?;
                let curve = Curve::ALL.into_iter().find(|curve| curve.oid() == name)?;
                Self::ec(curve, bits.to_vec())
            }
            ED25519 => Self::ed25519(bits.to_vec()),
            _ => None,
        }
    }

    pub(super) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let member = |member: &Option<String>| URL_SAFE_NO_PAD.decode(member.as_deref()?).ok();
        match jwk.kty.as_str() {
            "RSA" => Self::rsa(&member(&jwk.n)?, &member(&jwk.e)?),
            "EC" => {
                let name = jwk.crv.as_deref()?;
                let curve = Curve::ALL.into_iter().find(|curve| curve.as_str() == name)?;
                let (x, y) = (member(&jwk.x)?, member(&jwk.y)?);
                let is_whole = x.len() == curve.length() && y.len() == curve.length();
                is_whole.then(|| Self::ec(curve, [&[UNCOMPRESSED], &x[..], &y[..]].concat())).flatten()
            }
            "OKP" if jwk.crv.as_deref() == Some("Ed25519") => Self::ed25519(member(&jwk.x)?),
            _ => None,
        }
    }

    fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let (n, e) = (der::without_zeros(n), der::without_zeros(e));
        let is_usable = RSA_LENGTHS.contains(&n.len()) && !e.is_empty();
        is_usable.then(|| Self::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    fn ec(curve: Curve, point: Vec<u8>) -> Option<Self> {
        let is_point = point.len() == 1 + 2 * curve.length() && point.first() == Some(&UNCOMPRESSED);
        is_point.then_some(Self::Ec(curve, point))
    }

    fn ed25519(key: Vec<u8>) -> Option<Self> {
        (key.len() == ED25519_LENGTH).then_some(Self::Ed25519(key))
    }

    /// Its name by RFC 7638: a hash of its members in JSON.
    pub(super) fn thumbprint(&self) -> String {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let json = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n)),
            Self::Ec(curve, point) => {
                // A point is a byte and two coordinates.
                let (x, y) = point[1..].split_at(curve.length());
                let curve = curve.as_str();
                format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
            }
            Self::Ed25519(key) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(key)),
        };
        encode(&Sha256::digest(json))
    }

    /// Its name as libtrust has it: 240 bits of a hash of its DER, in base32, by fours.
    pub(super) fn libtrust_id(&self) -> String {
        let digest = Sha256::digest(self.spki());
        let text = base32(&digest[..30]);
        let groups: Vec<_> = text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        groups.join(":")
    }

    /// Its `SubjectPublicKeyInfo`.
    fn spki(&self) -> Vec<u8> {
        let oid = |oid: &[u8]| der::encode(der::OID, oid);
        let (algorithm, bits) = match self {
            Self::Rsa { n, e } => {
                let numbers = [der::encode_unsigned(n), der::encode_unsigned(e)].concat();
                ([oid(RSA), der::encode(der::NULL, &[])].concat(), der::encode(der::SEQUENCE, &numbers))
            }
            Self::Ec(curve, point) => ([oid(EC), oid(curve.oid())].concat(), point.clone()),
            Self::Ed25519(key) => (oid(ED25519), key.clone()),
        };
        let content = [der::encode(der::SEQUENCE, &algorithm), der::encode_bits(&bits)].concat();
        der::encode(der::SEQUENCE, &content)
    }
}

/// The base32 of RFC 4648, of bytes whose number is a multiple of 5.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let word = |chunk: &[u8]| chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let letters = |word: u64| (0..8).rev().map(move |index| ALPHABET[(word >> (5 * index)) as usize & 31]);
    bytes.chunks_exact(5).map(word).flat_map(letters).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jwk(text: &str) -> Jwk {
        serde_json::from_str(text).unwrap()
    }

    /// The key and the name of RFC 7638, section 3.1.
    #[test]
    fn the_name_of_the_rfc() {
        let key = PublicKey::from_jwk(&jwk(
            r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
        ));
        assert_eq!(key.unwrap().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    /// The key and the name of RFC 8037, appendix A.3.
    #[test]
    fn the_name_of_a_key_on_an_edwards_curve() {
        let key = PublicKey::from_jwk(&jwk(
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        ));
        assert_eq!(key.unwrap().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn base32_of_the_rfc() {
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(base32(b"foobafooba"), "MZXW6YTBMZXW6YTB");
    }

    #[test]
    fn a_libtrust_name_is_twelve_groups() {
        let id = PublicKey::Ed25519(vec![7; 32]).libtrust_id();
        assert_eq!(id.split(':').map(str::len).collect::<Vec<_>>(), [4; 12]);
    }

    #[test]
    fn keys_that_are_none() {
        for text in [
            r"{}",
            r#"{"kty":"oct","k":"AAAA"}"#,
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#,
            r#"{"kty":"EC","crv":"secp256k1","x":"AAAA","y":"AAAA"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="}"#,
        ] {
            assert_eq!(PublicKey::from_jwk(&jwk(text)), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_the_same_in_der(n in prop::collection::vec(any::<u8>(), 300), point in prop::collection::vec(any::<u8>(), 132)) {
            let keys = [
                PublicKey::rsa(&n, &[1, 0, 1]),
                PublicKey::ec(Curve::P256, [&[4], &point[..64]].concat()),
                PublicKey::ec(Curve::P384, [&[4], &point[..96]].concat()),
                PublicKey::ec(Curve::P521, [&[4], &point[..]].concat()),
                PublicKey::ed25519(point[..32].to_vec()),
            ];
            for key in keys.into_iter().flatten() {
                prop_assert_eq!(PublicKey::from_spki(&key.spki()), Some(key));
            }
        }

        #[test]
        fn nothing_panics(spki in prop::collection::vec(any::<u8>(), 0..60), place in 0usize..90, byte in any::<u8>()) {
            PublicKey::from_spki(&spki);
            let mut spki = PublicKey::Ec(Curve::P256, vec![4; 65]).spki();
            let place = place % spki.len();
            spki[place] = byte;
            PublicKey::from_spki(&spki);
        }
    }
}
