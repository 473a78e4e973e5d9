//! The ancestor's keys and what becomes of each here. `README.md` shows the table; a test keeps the two alike.

/// The sections that a configuration file may have; environment variables for others are no business of ours.
pub(crate) const SECTIONS: &[&str] = &[
    "auth",
    "catalog",
    "compatibility",
    "health",
    "http",
    "log",
    "loglevel",
    "middleware",
    "notifications",
    "policy",
    "proxy",
    "redis",
    "reporting",
    "storage",
    "strict",
    "validation",
    "version",
];

/// What becomes of a key of the ancestor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It means what it meant.
    Supported,
    /// It may be there and means nothing.
    Ignored,
    /// It is a mistake.
    Refused,
}

impl Treatment {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Ignored => "accepted and ignored",
            Self::Refused => "refused",
        }
    }
}

/// A key of the ancestor's storage section, or of `middleware.storage`.
#[derive(Debug, Clone, Copy)]
pub struct AncestorKey {
    /// The key, below its section.
    pub key: &'static str,
    /// What becomes of it.
    pub treatment: Treatment,
    /// Its default, and where it differs.
    pub note: &'static str,
}

const fn key(key: &'static str, treatment: Treatment, note: &'static str) -> AncestorKey {
    AncestorKey { key, treatment, note }
}

/// Every key of the ancestor's storage section, and of `middleware.storage`.
pub const ANCESTOR_KEYS: &[AncestorKey] = &[
    key("storage.filesystem.rootdirectory", Treatment::Supported, "default `/var/lib/registry`"),
    key(
        "storage.filesystem.maxthreads",
        Treatment::Supported,
        "default 100; less than 25 counts as 25; text such as `\"0x64\"` too",
    ),
    key("storage.s3.accesskey", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.secretkey", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.region", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.regionendpoint", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.forcepathstyle", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.bucket", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.encrypt", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.keyid", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.secure", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.skipverify", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.v4auth", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.chunksize", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.multipartcopychunksize", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key(
        "storage.s3.multipartcopymaxconcurrency",
        Treatment::Refused,
        "the driver is not built in; so is its alias `s3aws`",
    ),
    key(
        "storage.s3.multipartcopythresholdsize",
        Treatment::Refused,
        "the driver is not built in; so is its alias `s3aws`",
    ),
    key("storage.s3.rootdirectory", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.storageclass", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.objectacl", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.useragent", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.usedualstack", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.accelerate", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.usefipsendpoint", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.loglevel", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.s3.redirectendpoint", Treatment::Refused, "the driver is not built in; so is its alias `s3aws`"),
    key("storage.azure.accountname", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.container", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.accountkey", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.realm", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.serviceurl", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.rootdirectory", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.skipverify", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.connectionstring", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.credentials", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.max_retries", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.retry_delay", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.copy_status_poll_max_retry", Treatment::Refused, "the driver is not built in"),
    key("storage.azure.copy_status_poll_delay", Treatment::Refused, "the driver is not built in"),
    key("storage.gcs, oss, swift, rados", Treatment::Refused, "no such driver"),
    key(
        "storage.cache.blobdescriptor",
        Treatment::Supported,
        "`inmemory` or `redis`; another value is a mistake; an empty `cache` is no cache",
    ),
    key(
        "storage.cache.layerinfo",
        Treatment::Supported,
        "the old name of `blobdescriptor`; with a warning where both are there",
    ),
    key(
        "storage.cache.blobdescriptorsize",
        Treatment::Supported,
        "default 10000, 0 is no limit; with `redis` a mistake",
    ),
    key("storage.delete.enabled", Treatment::Supported, "default false; `\"true\"` in quotes is true"),
    key("storage.redirect.disable", Treatment::Supported, "default false"),
    key("storage.tag.concurrencylimit", Treatment::Supported, "default 0, as many as there are processors"),
    key(
        "storage.maintenance.uploadpurging.enabled",
        Treatment::Supported,
        "default true; `\"false\"` in quotes is false",
    ),
    key(
        "storage.maintenance.uploadpurging.age",
        Treatment::Supported,
        "default 168h, also where the section is there without it",
    ),
    key(
        "storage.maintenance.uploadpurging.interval",
        Treatment::Supported,
        "default 24h, also where the section is there without it",
    ),
    key(
        "storage.maintenance.uploadpurging.dryrun",
        Treatment::Supported,
        "default false, also where the section is there without it",
    ),
    key("storage.maintenance.readonly.enabled", Treatment::Supported, "default false"),
    key("storage.inmemory.*", Treatment::Refused, "the ancestor ignores whatever is given; ours has `maxbytes`"),
    key("middleware.storage[].name", Treatment::Supported, "`cloudfront`, `redirect` or `rewrite`"),
    key("middleware.storage[].disabled", Treatment::Supported, "default false; the ancestor does not look at it"),
    key("middleware.storage[].options: cloudfront.baseurl", Treatment::Supported, ""),
    key("middleware.storage[].options: cloudfront.privatekey", Treatment::Supported, ""),
    key("middleware.storage[].options: cloudfront.keypairid", Treatment::Supported, ""),
    key("middleware.storage[].options: cloudfront.duration", Treatment::Supported, "default 20m"),
    key(
        "middleware.storage[].options: cloudfront.ipfilteredby",
        Treatment::Supported,
        "`none` (default), `aws` or `awsregion`",
    ),
    key("middleware.storage[].options: cloudfront.awsregion", Treatment::Supported, ""),
    key("middleware.storage[].options: cloudfront.updatefrequency", Treatment::Supported, "default 12h"),
    key(
        "middleware.storage[].options: cloudfront.updatefrenquency",
        Treatment::Supported,
        "a slip of the pen that the ancestor still reads",
    ),
    key("middleware.storage[].options: cloudfront.iprangesurl", Treatment::Supported, ""),
    key("middleware.storage[].options: redirect.baseurl", Treatment::Supported, ""),
    key("middleware.storage[].options: rewrite.scheme", Treatment::Supported, ""),
    key("middleware.storage[].options: rewrite.host", Treatment::Supported, ""),
    key("middleware.storage[].options: rewrite.trimpathprefix", Treatment::Supported, ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> String {
        let row =
            |known: &AncestorKey| format!("| `{}` | {} | {} |\n", known.key, known.treatment.as_str(), known.note);
        let head = "| key | here | notes |\n|---|---|---|\n".to_owned();
        head + &ANCESTOR_KEYS.iter().map(row).collect::<String>()
    }

    #[test]
    fn the_readme_shows_the_table() {
        let readme = include_str!("../README.md");
        assert!(readme.contains(&table()), "README.md should contain\n\n{}", table());
    }

    #[test]
    fn every_key_of_ours_that_is_supported_is_one_that_a_driver_takes() {
        let factory = crate::Factory::builtin();
        for driver in factory.names() {
            let prefix = format!("storage.{driver}.");
            let parameters = factory.parameters(driver).unwrap();
            for known in ANCESTOR_KEYS.iter().filter(|known| known.treatment == Treatment::Supported) {
                if let Some(parameter) = known.key.strip_prefix(&prefix) {
                    assert!(parameters.contains(&parameter), "{}", known.key);
                }
            }
        }
    }
}
