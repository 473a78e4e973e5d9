//! As much of DER as keys and certificates need.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const VERSION: u8 = 0xa0;

/// Values, one behind another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Values<'a> {
    /// The next value, whatever it is: its tag and its content.
    pub(super) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Nothing here is larger than three bytes can tell.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value, if it has this tag.
    pub(super) fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.any()?;
        (found == tag).then_some(content)
    }

    /// The values in the next one, which is a sequence.
    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.next(SEQUENCE).map(Self)
    }

    /// The next value as a number that is not negative: its bytes, without zeros in front.
    pub(super) fn unsigned(&mut self) -> Option<&'a [u8]> {
        let content = self.next(INTEGER)?;
        let is_negative = content.first()? & 0x80 != 0;
        (!is_negative).then(|| without_zeros(content))
    }

    /// The next value as bits that are whole bytes.
    pub(super) fn bits(&mut self) -> Option<&'a [u8]> {
        match self.next(BIT_STRING)?.split_first()? {
            (0, bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// A number without zeros in front.
pub(super) fn without_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    &number[start..]
}

/// A value.
pub(super) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut value = vec![tag];
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        value.push(short);
    } else {
        let bytes = length.to_be_bytes();
        let bytes = without_zeros(&bytes);
        value.push(0x80 | bytes.len() as u8);
        value.extend_from_slice(bytes);
    }
    value.extend_from_slice(content);
    value
}

/// A number that is not negative.
pub(super) fn encode_unsigned(number: &[u8]) -> Vec<u8> {
    let number = without_zeros(number);
    let needs_zero = number.first().is_none_or(|byte| byte & 0x80 != 0);
    let mut content = vec![0; usize::from(needs_zero)];
    content.extend_from_slice(number);
    encode(INTEGER, &content)
}

/// Bits that are whole bytes.
pub(super) fn encode_bits(bytes: &[u8]) -> Vec<u8> {
    encode(BIT_STRING, &[&[0], bytes].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_cut_short_is_none() {
        let value = encode(SEQUENCE, &encode_unsigned(&[0x80; 300]));
        assert_eq!(Values(&value).sequence().unwrap().unsigned(), Some(&[0x80; 300][..]));
        for end in 0..value.len() {
            assert!(Values(&value[..end]).sequence().is_none());
        }
        assert!(Values(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]).any().is_none());
        assert!(Values(&[SEQUENCE, 0x80, 0, 0]).any().is_none());
        assert!(Values(&[INTEGER, 1, 0x80]).unsigned().is_none());
        assert!(Values(&[INTEGER, 0]).unsigned().is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(length in prop_oneof![0usize..300, 65_000usize..70_000], byte in any::<u8>()) {
            let content = vec![byte; length];
            let value = encode_bits(&content);
            let mut values = Values(&value);
            prop_assert_eq!(values.bits(), Some(&content[..]));
            prop_assert!(values.is_empty());
        }

        #[test]
        fn nothing_panics(content in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut values = Values(&content);
            while let Some((_, inner)) = values.any() {
                let _ = (Values(inner).unsigned(), Values(inner).bits());
            }
        }
    }
}
