//! Uploads: blobs on their way in, over any number of requests, processes and servers.
//!
//! An upload is a kept session of the storage at `_uploads/ID/data` (nothing of it shows until it is whole), a file that tells
//! when it began, and saved states of its hash, by which a later request goes on without reading what earlier ones brought. An
//! upload that begins and ends in one request leaves nothing there at any time.

mod body;
mod hashing;
mod live;
mod states;
mod writer;

pub(crate) use self::live::LiveUploads;
pub(crate) use self::states::States;
pub(crate) use self::writer::Ingest;
pub use self::writer::{BlobWriter, UploadError};
use time::UtcDateTime;

use crate::descriptor::Descriptor;
use crate::digest::Algorithm;
use crate::names::UploadId;

/// What is known of an upload beforehand.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct UploadOptions {
    /// What a new upload is called and when it began, where somebody was told before anything of it was stored; else it begins
    /// now, and is called by chance.
    pub announced: Option<(UploadId, UtcDateTime)>,
    /// What the content will be named by, beside its canonical digest. Known beforehand, it is hashed while it comes; learnt at
    /// the end, by reading all of it once more.
    pub algorithm: Option<Algorithm>,
    /// How many bytes will come, at the most likely.
    pub size_hint: Option<u64>,
    /// How many bytes the client thinks are kept, where it goes on.
    pub kept: Option<u64>,
}

/// What became of a mount.
#[derive(Debug)]
pub enum Begun {
    /// The blob can be read here now.
    Mounted(Descriptor),
    /// The blob could not be read there: it has to come over the wire.
    Upload(Box<BlobWriter>),
}
