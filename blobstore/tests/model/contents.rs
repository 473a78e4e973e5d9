//! The blobs and manifests that the steps are about: few, so that they meet each other.

use std::sync::LazyLock;

use blobstore::{Algorithm, Digest, media_type};
use bytes::Bytes;

use crate::fixture::described;

/// Content with what the model has to know of it.
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    /// What a manifest names; none for what is no manifest.
    pub(crate) manifest: Option<Named>,
    names: [Digest; 2],
}

/// What a manifest names.
#[derive(Default)]
pub(crate) struct Named {
    pub(crate) blobs: Vec<Digest>,
    pub(crate) manifests: Vec<Digest>,
    pub(crate) subject: Option<Digest>,
}

impl Content {
    fn new(bytes: Bytes, manifest: Option<Named>) -> Self {
        let names = Algorithm::ALL.map(|algorithm| Digest::with(algorithm, &bytes));
        Self { bytes, manifest, names }
    }

    pub(crate) const fn names(&self) -> [Digest; 2] {
        self.names
    }

    pub(crate) fn name(&self, algorithm: Algorithm) -> Digest {
        *self.names.iter().find(|name| name.algorithm() == algorithm).unwrap()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.name(Algorithm::CANONICAL)
    }

    fn blob(text: &'static str) -> Self {
        Self::new(Bytes::from_static(text.as_bytes()), None)
    }

    fn image(blobs: &[Digest], subject: Option<Digest>) -> Self {
        let listed: Vec<_> = blobs.iter().map(|digest| described("l", digest, 1)).collect();
        let parts = format!(r#""config": {}, "layers": [{}]"#, listed[0], listed[1..].join(","));
        Self::manifest(&parts, Named { blobs: blobs.to_vec(), manifests: Vec::new(), subject })
    }

    fn index(manifests: &[Digest], subject: Option<Digest>) -> Self {
        let listed: Vec<_> = manifests.iter().map(|digest| described(media_type::OCI_MANIFEST, digest, 1)).collect();
        let parts = format!(r#""manifests": [{}]"#, listed.join(","));
        Self::manifest(&parts, Named { blobs: Vec::new(), manifests: manifests.to_vec(), subject })
    }

    fn manifest(parts: &str, named: Named) -> Self {
        let subject = named.subject.map(|subject| format!(r#", "subject": {}"#, described("s", &subject, 1)));
        let bytes = format!(r#"{{"schemaVersion": 2, {parts}{}}}"#, subject.unwrap_or_default());
        Self::new(bytes.into(), Some(named))
    }
}

/// Everything that is pushed. What comes first is named by what comes behind.
pub(crate) static CONTENTS: LazyLock<Vec<Content>> = LazyLock::new(|| {
    let mut contents = vec![Content::blob(""), Content::blob("one"), Content::blob("two"), Content::blob("three")];
    let blobs: Vec<_> = contents.iter().map(Content::digest).collect();
    let by_sha512 = contents[3].name(Algorithm::Sha512);
    let first = Content::image(&blobs[1..3], None);
    let second = Content::image(&[blobs[1], blobs[3], blobs[0]], None);
    let (one, two) = (first.digest(), second.digest());
    let list = Content::index(&[one, two], None);
    // A blob that is a manifest, too.
    let odd = Content::image(&[blobs[1], one], None);
    let signature = Content::image(&[blobs[1], by_sha512], Some(one));
    let nested = Content::index(&[list.digest(), signature.name(Algorithm::Sha512)], Some(two));
    let of_list = Content::index(&[], Some(list.name(Algorithm::Sha512)));
    let of_signature = Content::index(&[], Some(signature.digest()));
    let of_nothing = Content::index(&[], Some(Digest::of(b"nowhere")));
    contents.extend([first, second, list, odd, signature, nested, of_list, of_signature, of_nothing]);
    contents
});

/// How many of the contents are blobs and nothing else.
pub(crate) const PLAIN: usize = 4;

/// The content of that name.
pub(crate) fn named(digest: &Digest) -> Option<&'static Content> {
    CONTENTS.iter().find(|content| content.names.contains(digest))
}
