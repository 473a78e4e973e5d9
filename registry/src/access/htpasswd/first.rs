//! The first user, where there is no file yet.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

/// Its name.
pub(super) const USER: &str = "docker";

const COST: u32 = 10;
const PASSWORD_BYTES: usize = 24;

/// Makes the file, if it is missing; answers with the password of its user then. To be called where blocking is allowed.
pub(super) fn create_missing(path: &Path) -> io::Result<Option<String>> {
    // A link that leads nowhere is a mistake, and no file that is missing.
    if path.symlink_metadata().is_ok() {
        return Ok(None);
    }
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut bytes = [0; PASSWORD_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system has no random numbers"))?;
    let password = URL_SAFE_NO_PAD.encode(bytes);
    let hash = bcrypt::hash(&password, COST).map_err(io::Error::other)?;
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Another server was faster: it has told its password.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        file => file?,
    };
    file.write_all(format!("{USER}:{hash}\n").as_bytes())?;
    file.sync_all()?;
    Ok(Some(password))
}
