//! The versions of what is tested, from the lock file that this crate is built with.

const LOCKED: &str = include_str!("../Cargo.lock");

/// The version of a package of the lock file; none where it has no such package.
pub fn locked(package: &str) -> Option<&'static str> {
    let (_, after) = LOCKED.split_once(&format!("\nname = \"{package}\"\nversion = \""))?;
    after.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_under_test_is_locked() {
        for package in ["opendal", "object_store", "s3s-fs", "driver-filesystem"] {
            assert!(locked(package).is_some_and(|version| version.contains('.')), "{package}");
        }
        assert_eq!(locked("no-such-package"), None);
    }
}
