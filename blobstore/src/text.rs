//! Notes of the store's own: paths, one in a line.

use std::collections::HashSet;

use driver_api::StoragePath;

/// The paths as text.
pub(crate) fn lines<'a>(paths: impl IntoIterator<Item = &'a StoragePath>) -> String {
    paths.into_iter().flat_map(|path| [path.as_str(), "\n"]).collect()
}

/// The paths of a text. A line that is none says nothing about any file.
pub(crate) fn paths(text: &[u8]) -> HashSet<StoragePath> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.filter_map(|line| StoragePath::parse(line).ok()).collect()
}
