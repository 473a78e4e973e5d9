//! Files that an operator gave: small ones, and no pipes that never end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Much more than any of them has.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// All of a file, to be called where blocking is allowed.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Asked before it is opened: to open a pipe is to wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("this is no file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("the file is larger than {MAX_BYTES} bytes")));
    }
    Ok(content)
}
