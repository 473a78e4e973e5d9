//! The version of a file: which inode, dated when, how long.

use std::time::SystemTime;

use driver_api::Version;

use crate::system_calls::Status;

/// The version that `status` shows. An inode may be used again, but not with the same date to the nanosecond: the driver
/// dates what it publishes itself.
pub(crate) fn of(status: &Status) -> Version {
    let mut text = [b'-'; 50];
    write_hex(&mut text[..16], status.id.inode);
    write_hex(&mut text[17..33], nanoseconds(status.modified));
    write_hex(&mut text[34..], status.size);
    Version::new(&*String::from_utf8_lossy(&text))
}

fn nanoseconds(time: SystemTime) -> u64 {
    let distance = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after,
        Err(before) => before.duration(),
    };
    distance.as_secs().wrapping_mul(1_000_000_000).wrapping_add(distance.subsec_nanos().into())
}

fn write_hex(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::system_calls::{FileId, Kind};

    #[test]
    fn tells_inode_date_and_size_apart() {
        let modified = SystemTime::UNIX_EPOCH + Duration::new(1, 2);
        let status = Status {
            kind: Kind::File,
            id: FileId { device: 1, inode: 0xab },
            size: 0x10,
            links: 1,
            modified,
            changed: modified,
            born: None,
        };
        assert_eq!(of(&status).as_str(), "00000000000000ab-000000003b9aca02-0000000000000010");
        let later = Status { modified: modified + Duration::from_nanos(1), ..status };
        let longer = Status { size: 0x11, ..status };
        let other = Status { id: FileId { device: 1, inode: 0xac }, ..status };
        for changed in [later, longer, other] {
            assert_ne!(of(&changed), of(&status));
        }
    }
}
