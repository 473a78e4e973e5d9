//! The ancestor's keys and what becomes of each here. `README.md` shows the table; a test keeps the two alike.

/// The sections that a configuration file may have; environment variables for others are no business of ours.
pub const SECTIONS: &[&str] = &[
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
    "tags",
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
    key(
        "storage.s3.accesskey",
        Treatment::Supported,
        "with `secretkey`, or neither: then what the environment has; one alone is a mistake; `s3aws` is another name of `s3`",
    ),
    key("storage.s3.secretkey", Treatment::Supported, "with `accesskey`"),
    key(
        "storage.s3.region",
        Treatment::Supported,
        "needed unless there is a `regionendpoint`; any name, so that new regions work",
    ),
    key(
        "storage.s3.regionendpoint",
        Treatment::Supported,
        "a URL or a bare host; a path, a query or a password in it is a mistake",
    ),
    key("storage.s3.forcepathstyle", Treatment::Supported, "default false"),
    key("storage.s3.bucket", Treatment::Supported, "needed; it must exist"),
    key("storage.s3.encrypt", Treatment::Supported, "default false; AES256, or KMS with a `keyid`"),
    key("storage.s3.keyid", Treatment::Supported, "without `encrypt` a mistake"),
    key(
        "storage.s3.secure",
        Treatment::Supported,
        "the scheme of a bare host in `regionendpoint`; a mistake where it contradicts the scheme of a URL, and false without an endpoint",
    ),
    key(
        "storage.s3.skipverify",
        Treatment::Supported,
        "default false; true is refused: let the machine trust the authority (`SSL_CERT_FILE`)",
    ),
    key("storage.s3.v4auth", Treatment::Supported, "true changes nothing; false is refused"),
    key(
        "storage.s3.chunksize",
        Treatment::Supported,
        "default 8 MiB (the ancestor: 10 MiB), 5 MiB to 5 GiB; later parts are larger",
    ),
    key("storage.s3.multipartcopychunksize", Treatment::Supported, "default 32 MiB, 5 MiB to 5 GiB"),
    key("storage.s3.multipartcopymaxconcurrency", Treatment::Supported, "default 32 (the ancestor: 100), 1 to 1000"),
    key("storage.s3.multipartcopythresholdsize", Treatment::Supported, "default 32 MiB, up to 5 GiB"),
    key(
        "storage.s3.rootdirectory",
        Treatment::Supported,
        "slashes at both ends do not matter; at most 100 bytes and 40 components",
    ),
    key(
        "storage.s3.storageclass",
        Treatment::Supported,
        "in any case; none by default, which is STANDARD; `NONE` sends nothing; `EXPRESS_ONEZONE` is refused",
    ),
    key("storage.s3.objectacl", Treatment::Supported, "none by default, so that the bucket's own rules hold"),
    key(
        "storage.s3.useragent",
        Treatment::Supported,
        "added to the client's; characters that a product's name can't have become `-`",
    ),
    key("storage.s3.usedualstack", Treatment::Supported, "default false; with a `regionendpoint` a mistake"),
    key(
        "storage.s3.accelerate",
        Treatment::Supported,
        "default false; with `regionendpoint`, `forcepathstyle` or `usefipsendpoint` a mistake",
    ),
    key("storage.s3.usefipsendpoint", Treatment::Supported, "default false; with a `regionendpoint` a mistake"),
    key(
        "storage.s3.loglevel",
        Treatment::Ignored,
        "requests are not logged; the layer `trace` logs calls; anything but `off` is a warning",
    ),
    key("storage.s3.redirectendpoint", Treatment::Supported, "a URL of scheme and host, to which signed URLs point"),
    key("storage.azure.accountname", Treatment::Supported, "needed, unless there is a `connectionstring`"),
    key("storage.azure.container", Treatment::Supported, "needed; it must exist"),
    key(
        "storage.azure.accountkey",
        Treatment::Supported,
        "for `shared_key`; with another type of credentials a mistake",
    ),
    key("storage.azure.realm", Treatment::Supported, "default `core.windows.net`; with a `serviceurl` a mistake"),
    key("storage.azure.serviceurl", Treatment::Supported, "default `https://ACCOUNT.blob.REALM`"),
    key(
        "storage.azure.rootdirectory",
        Treatment::Supported,
        "slashes at both ends do not matter; names that begin with a slash, of early registries, can't be addressed",
    ),
    key("storage.azure.skipverify", Treatment::Supported, "default false"),
    key(
        "storage.azure.connectionstring",
        Treatment::Supported,
        "the ancestor reads it and does not use it; here it takes the place of account, key, realm and URL",
    ),
    key(
        "storage.azure.credentials",
        Treatment::Supported,
        "`type` is `shared_key` (default), `sas`, `client_secret` or `default_credentials`; keys of another type are mistakes",
    ),
    key(
        "storage.azure.max_retries",
        Treatment::Ignored,
        "how often the ancestor asks after a copy; `copytimeout` bounds it, and the layer `retry` repeats",
    ),
    key("storage.azure.retry_delay", Treatment::Ignored, "the pause between two such questions; the driver chooses it"),
    key("storage.azure.copy_status_poll_max_retry", Treatment::Refused, "the name of `max_retries` in early releases"),
    key("storage.azure.copy_status_poll_delay", Treatment::Refused, "the name of `retry_delay` in early releases"),
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
    fn the_readme_has_a_row_for_every_parameter() {
        let readme = include_str!("../README.md");
        let (_, section) = readme.split_once("## The section").unwrap();
        let (section, _) = section.split_once("## Values").unwrap();
        let factory = crate::Factory::builtin();
        for driver in factory.names() {
            let (_, table) = section.split_once(&format!("| `{driver}` | `")).unwrap();
            let rows = table.lines().enumerate().take_while(|(index, row)| *index == 0 || row.starts_with("| | `"));
            let told: Vec<_> = rows
                .map(|(index, row)| if index == 0 { row } else { row.trim_start_matches("| | `") })
                .filter_map(|row| row.split(['`', '.']).next())
                .collect();
            let parameters = factory.parameters(driver).unwrap();
            for parameter in parameters {
                assert!(told.contains(parameter), "the table lacks {driver}: {parameter}");
            }
            for parameter in told {
                assert!(parameters.contains(&parameter), "{driver} has no {parameter}");
            }
        }
    }

    #[test]
    fn every_key_that_is_not_refused_is_one_that_a_driver_takes() {
        let factory = crate::Factory::builtin();
        for driver in factory.names() {
            let prefix = format!("storage.{driver}.");
            let parameters = factory.parameters(driver).unwrap();
            for known in ANCESTOR_KEYS.iter().filter(|known| known.treatment != Treatment::Refused) {
                if let Some(parameter) = known.key.strip_prefix(&prefix) {
                    assert!(parameters.contains(&parameter), "{}", known.key);
                }
            }
        }
    }
}
