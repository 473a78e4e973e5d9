//! The keys beside the driver: what a registry does on top of any storage. They are read here, where the file format is
//! known, and acted on there.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::decode::decode;
use crate::document::{Document, Node, Value};
use crate::finding::{Finding, Findings, advice};
use crate::values::ReadableDuration;

/// The keys of the storage section that are neither a driver nor layers.
pub(crate) const KEYS: &[&str] = &["cache", "delete", "maintenance", "redirect", "tag"];

/// What a registry does on top of a storage, with defaults for all that is not in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// `cache`: descriptors of blobs kept in memory or in Redis; none where nothing is said.
    pub cache: Option<DescriptorCache>,
    /// `delete`.
    pub delete: Delete,
    /// `redirect`.
    pub redirect: Redirect,
    /// `tag`.
    pub tag: Tag,
    /// `maintenance`.
    pub maintenance: Maintenance,
    /// `middleware.storage`, the innermost first; those with `disabled: true` are left out.
    pub middleware: Vec<Middleware>,
}

/// `cache`: where the descriptors of blobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescriptorCache {
    /// In the memory of the process.
    InMemory {
        /// The most descriptors (`blobdescriptorsize`); none is no limit.
        size: Option<NonZeroU64>,
    },
    /// In Redis, by the `redis` section.
    Redis,
}

/// `delete`: whether clients may delete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Delete {
    /// Whether blobs, manifests and tags can be deleted.
    pub enabled: bool,
}

/// `redirect`: whether clients are sent to the backend for content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Redirect {
    /// Whether all content goes through the registry.
    pub disable: bool,
}

/// `tag`: how tags are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Tag {
    /// How many tags are looked up at once; 0 is as many as there are processors.
    pub concurrencylimit: u32,
}

/// `maintenance`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Maintenance {
    /// The removal of uploads that nobody continues.
    pub uploadpurging: UploadPurging,
    /// Whether clients may only read.
    pub readonly: ReadOnlyMode,
    /// The removal of what no manifest names any more.
    pub garbagecollection: GarbageCollection,
}

/// `maintenance.garbagecollection`, which the ancestor does not have: there it is a command for a registry that is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GarbageCollection {
    /// Whether garbage is collected while the registry serves.
    pub enabled: bool,
    /// The time between two collections.
    pub interval: ReadableDuration,
    /// What is younger than this stays: a push may be about to name it.
    pub grace: ReadableDuration,
    /// Whether manifests go as well that nothing names.
    pub deleteuntagged: bool,
    /// Whether it is only logged what would be deleted.
    pub dryrun: bool,
}

impl Default for GarbageCollection {
    fn default() -> Self {
        let day = ReadableDuration(Duration::from_secs(24 * 3600));
        Self { enabled: false, interval: day, grace: day, deleteuntagged: false, dryrun: false }
    }
}

/// `maintenance.uploadpurging`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UploadPurging {
    /// Whether uploads are purged.
    pub enabled: bool,
    /// How old an upload is when it is purged.
    pub age: ReadableDuration,
    /// The time between two purges.
    pub interval: ReadableDuration,
    /// Whether it is only logged what would be purged.
    pub dryrun: bool,
}

impl Default for UploadPurging {
    fn default() -> Self {
        let hours = |hours: u64| ReadableDuration(Duration::from_secs(hours * 3600));
        Self { enabled: true, age: hours(168), interval: hours(24), dryrun: false }
    }
}

/// `maintenance.readonly`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ReadOnlyMode {
    /// Whether clients may only read.
    pub enabled: bool,
}

/// One of `middleware.storage`: how the URLs are made to which clients are sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Middleware {
    /// Signed URLs of a CloudFront distribution.
    CloudFront(CloudFront),
    /// URLs below a fixed one.
    Redirect(RedirectMiddleware),
    /// The driver's URLs, changed.
    Rewrite(Rewrite),
}

/// Options of the middleware `cloudfront`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CloudFront {
    /// The distribution's URL.
    pub baseurl: String,
    /// The file with the private key.
    pub privatekey: String,
    /// The id of the key pair.
    pub keypairid: String,
    /// How long a URL works.
    #[serde(default = "twenty_minutes")]
    pub duration: ReadableDuration,
    /// Whose requests go to the backend itself.
    #[serde(default)]
    pub ipfilteredby: IpFilter,
    /// The AWS regions of `ipfilteredby: awsregion`, with commas between them.
    #[serde(default)]
    pub awsregion: String,
    /// The time between two updates of the list of AWS addresses.
    #[serde(default = "twelve_hours", alias = "updatefrenquency")]
    pub updatefrequency: ReadableDuration,
    /// Where the list of AWS addresses comes from.
    #[serde(default)]
    pub iprangesurl: Option<String>,
}

/// Whose requests go to the backend itself and not to CloudFront.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpFilter {
    /// Nobody's.
    #[default]
    None,
    /// Those from AWS.
    Aws,
    /// Those from some AWS regions.
    AwsRegion,
}

/// Options of the middleware `redirect`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RedirectMiddleware {
    /// The URL to which paths are joined.
    pub baseurl: String,
}

/// Options of the middleware `rewrite`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Rewrite {
    /// The scheme to put in.
    pub scheme: Option<String>,
    /// The host to put in.
    pub host: Option<String>,
    /// What to take from the beginning of the URL's path.
    pub trimpathprefix: Option<String>,
}

fn twenty_minutes() -> ReadableDuration {
    ReadableDuration(Duration::from_secs(20 * 60))
}

fn twelve_hours() -> ReadableDuration {
    ReadableDuration(Duration::from_secs(12 * 3600))
}

/// Reads the settings from a storage section and from the sections beside it.
pub(crate) fn read(document: &Document, storage: &Node, findings: &mut Findings) -> Settings {
    Settings {
        cache: read_cache(document, storage, findings),
        delete: read_key(storage, "delete", findings),
        redirect: read_key(storage, "redirect", findings),
        tag: read_key(storage, "tag", findings),
        maintenance: read_key(storage, "maintenance", findings),
        middleware: read_middleware(document, findings),
    }
}

fn read_key<T: DeserializeOwned + Default>(storage: &Node, key: &str, findings: &mut Findings) -> T {
    let field = storage.field(key);
    field.and_then(|field| decode(&field.node, &format!("storage.{key}"), findings)).unwrap_or_default()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CacheKeys {
    blobdescriptor: Option<CacheKind>,
    layerinfo: Option<CacheKind>,
    blobdescriptorsize: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CacheKind {
    InMemory,
    Redis,
}

const DEFAULT_CACHE_SIZE: u64 = 10_000;

fn read_cache(document: &Document, storage: &Node, findings: &mut Findings) -> Option<DescriptorCache> {
    let CacheKeys { blobdescriptor, layerinfo, blobdescriptorsize } = read_key(storage, "cache", findings);
    let place = |key: &str| storage.field("cache").and_then(|cache| cache.node.field(key));
    let (kind, key) = match blobdescriptor {
        Some(kind) => (kind, "blobdescriptor"),
        None => (layerinfo?, "layerinfo"),
    };
    if let (Some(field), Some(_)) = (place("layerinfo"), blobdescriptor) {
        let message = "the old name of `blobdescriptor`, which is there as well: the value is ignored";
        findings.warning(Finding::new(&field.origin, "storage.cache.layerinfo", message));
    }
    match kind {
        CacheKind::InMemory => {
            Some(DescriptorCache::InMemory { size: NonZeroU64::new(blobdescriptorsize.unwrap_or(DEFAULT_CACHE_SIZE)) })
        }
        CacheKind::Redis => {
            if let Some(field) = place("blobdescriptorsize") {
                let message = "contradicts `redis`: only the cache `inmemory` has a size";
                findings.mistake(Finding::new(&field.origin, "storage.cache.blobdescriptorsize", message));
            }
            if let (Some(field), None) = (place(key), document.root().field("redis")) {
                let message = "`redis` needs a section `redis` in the file, and there is none";
                findings.mistake(Finding::new(&field.node.origin, format!("storage.cache.{key}"), message));
            }
            Some(DescriptorCache::Redis)
        }
    }
}

/// An entry of `middleware.storage`; its options are decoded by its name.
#[derive(Debug, Deserialize)]
struct MiddlewareKeys {
    name: String,
    #[serde(default)]
    disabled: bool,
    #[serde(default, rename = "options")]
    _options: serde::de::IgnoredAny,
}

const MIDDLEWARE: &[&str] = &["cloudfront", "redirect", "rewrite"];

fn read_middleware(document: &Document, findings: &mut Findings) -> Vec<Middleware> {
    const KEY: &str = "middleware.storage";
    let Some(list) = document.root().field("middleware").and_then(|section| section.node.field("storage")) else {
        return Vec::new();
    };
    match &list.node.value {
        Value::List(items) => {
            let each = items.iter().enumerate();
            each.filter_map(|(index, item)| read_one(item, &format!("{KEY}[{index}]"), findings)).collect()
        }
        _ => decode::<Vec<serde::de::IgnoredAny>>(&list.node, KEY, findings).map(|_| Vec::new()).unwrap_or_default(),
    }
}

fn read_one(item: &Node, path: &str, findings: &mut Findings) -> Option<Middleware> {
    let MiddlewareKeys { name, disabled, .. } = decode(item, path, findings)?;
    let nothing = Node { value: Value::Null, origin: item.origin.clone() };
    let options = item.field("options").map_or(&nothing, |field| &field.node);
    let path_of_options = format!("{path}.options");
    let middleware = match name.as_str() {
        "cloudfront" => decode(options, &path_of_options, findings).map(Middleware::CloudFront),
        "redirect" => decode(options, &path_of_options, findings).map(Middleware::Redirect),
        "rewrite" => decode(options, &path_of_options, findings).map(Middleware::Rewrite),
        _ => {
            let message = format!("there is no storage middleware `{name}`; {}", advice(&name, MIDDLEWARE));
            findings.mistake(Finding::new(&item.origin, format!("{path}.name"), message));
            None
        }
    };
    middleware.filter(|_| !disabled)
}
