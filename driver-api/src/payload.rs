//! What a put stores: cheap to clone, so that a failed attempt can be repeated.

use bytes::{Bytes, BytesMut};

/// The content of a put: a list of [`Bytes`], shared and not copied by `clone`.
///
/// ```
/// use driver_api::{Bytes, Payload};
/// let payload = Payload::from(vec![Bytes::from("first "), Bytes::from("second")]);
/// assert_eq!((payload.len(), payload.into_bytes().as_ref()), (12, b"first second".as_ref()));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Payload(Chunks);

#[derive(Debug, Clone)]
enum Chunks {
    One(Bytes),
    Many(std::sync::Arc<[Bytes]>),
}

impl Default for Chunks {
    fn default() -> Self {
        Self::One(Bytes::new())
    }
}

impl Payload {
    /// The length of the whole, in bytes.
    pub fn len(&self) -> u64 {
        self.chunks().iter().map(|chunk| chunk.len() as u64).sum()
    }

    /// Whether there is not one byte in it.
    pub fn is_empty(&self) -> bool {
        self.chunks().iter().all(Bytes::is_empty)
    }

    /// The pieces in order. Some may be empty.
    pub fn chunks(&self) -> &[Bytes] {
        match &self.0 {
            Chunks::One(bytes) => std::slice::from_ref(bytes),
            Chunks::Many(chunks) => chunks,
        }
    }

    /// The whole in one piece; copies only where there are several.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Chunks::One(bytes) => bytes,
            Chunks::Many(chunks) => match &*chunks {
                [only] => only.clone(),
                chunks => {
                    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
                    chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
                    whole.freeze()
                }
            },
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Chunks::One(bytes))
    }
}

impl From<Vec<Bytes>> for Payload {
    fn from(chunks: Vec<Bytes>) -> Self {
        Self(Chunks::Many(chunks.into()))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Payload {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}
