//! Between paths and the names of blobs.
//!
//! The file `/a/b` is the blob `ROOT/a/b`. What the driver keeps beside files lies below `ROOT/~/`, which no path can name.

use driver_api::StoragePath;

/// The names of one driver.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// What stands before every name: empty, or a directory with its `/`.
    root: String,
}

impl Names {
    pub(crate) fn new(root: &StoragePath) -> Self {
        let root = root.as_str().trim_start_matches('/');
        Self { root: if root.is_empty() { String::new() } else { format!("{root}/") } }
    }

    /// The blob of the file at `path`.
    pub(crate) fn file(&self, path: &StoragePath) -> String {
        format!("{}{}", self.root, relative(path))
    }

    /// What the names of all blobs below `path` begin with.
    pub(crate) fn directory(&self, path: &StoragePath) -> String {
        if path.is_root() { self.root.clone() } else { format!("{}{}/", self.root, relative(path)) }
    }

    /// The blob that marks the session kept at `path`.
    pub(crate) fn marker(&self, path: &StoragePath) -> String {
        format!("{}~/{}", self.root, relative(path))
    }

    /// What the names of the markers of all sessions below `path` begin with.
    pub(crate) fn markers_below(&self, path: &StoragePath) -> String {
        if path.is_root() { format!("{}~/", self.root) } else { format!("{}~/{}/", self.root, relative(path)) }
    }

    /// The path of the file that is the blob `name`; none where no path has that name.
    pub(crate) fn path(&self, name: &str) -> Option<StoragePath> {
        StoragePath::parse(&format!("/{}", name.strip_prefix(&self.root)?)).ok().filter(|path| !path.is_root())
    }

    /// The path of the session that the blob `name` marks.
    pub(crate) fn marked(&self, name: &str) -> Option<StoragePath> {
        let rest = name.strip_prefix(&self.root)?.strip_prefix("~/")?;
        StoragePath::parse(&format!("/{rest}")).ok().filter(|path| !path.is_root())
    }
}

fn relative(path: &StoragePath) -> &str {
    path.as_str().trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> StoragePath {
        StoragePath::parse(text).unwrap()
    }

    #[test]
    fn names_and_paths_are_inverse() {
        for root in ["/", "/registry", "/a/b"] {
            let names = Names::new(&path(root));
            for text in ["/a", "/a/b", "/.a", "/a..b/c."] {
                let path = path(text);
                assert_eq!(names.path(&names.file(&path)), Some(path.clone()));
                assert_eq!(names.marked(&names.marker(&path)), Some(path.clone()));
                assert_eq!(names.path(&names.marker(&path)), None);
                assert_eq!(names.marked(&names.file(&path)), None);
                // The crate drops slashes at the ends and dots that are whole segments; no name of ours has them.
                assert_eq!(names.file(&path).trim_matches('/'), names.file(&path));
            }
        }
    }

    #[test]
    fn foreign_names_are_no_paths() {
        let names = Names::new(&path("/root"));
        for name in ["root/", "root", "root//a", "root/a/", "root/a b", "other/a", "root/./a", "rooted/a"] {
            assert_eq!(names.path(name), None, "{name}");
        }
    }

    #[test]
    fn the_longest_name_is_one_that_the_service_takes() {
        let root = format!("/{}", "r/".repeat(39) + &"r".repeat(21));
        let names = Names::new(&path(&root));
        let longest = names.marker(&path(&"/12345678".repeat(100)));
        let deepest = names.marker(&path(&"/d".repeat(200)));
        assert!(longest.len() <= 1024 && deepest.split('/').count() <= 254, "{} bytes", longest.len());
    }
}
