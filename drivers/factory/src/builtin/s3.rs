//! `s3`, which the ancestor also calls `s3aws`.

use driver_api::{Result, Storage};
use driver_s3::{Acl, Credentials, Encryption, OrphanedUpload, S3Driver, S3Options, Secret};
use serde::Deserialize;

use super::service::{default_layers, given, given_secret, set, set_time, tell};
use crate::decode::quote;
use crate::finding::advice;
use crate::opened::{Leftover, Opened};
use crate::registration::{Registration, Remarks};
use crate::values::{ByteSize, ReadableDuration, SecretText};

pub(super) fn registration() -> Registration {
    Registration::validated("s3", options, open).alias("s3aws").default_layers(default_layers())
}

/// Parameters of `s3`. What is not given is as [`S3Options`] has it.
#[derive(Deserialize)]
struct Parameters {
    bucket: String,
    region: Option<String>,
    regionendpoint: Option<String>,
    redirectendpoint: Option<String>,
    #[serde(default)]
    forcepathstyle: bool,
    secure: Option<bool>,
    #[serde(default)]
    skipverify: bool,
    v4auth: Option<bool>,
    accesskey: Option<SecretText>,
    secretkey: Option<SecretText>,
    sessiontoken: Option<SecretText>,
    #[serde(default)]
    rootdirectory: String,
    #[serde(default)]
    encrypt: bool,
    keyid: Option<String>,
    storageclass: Option<String>,
    objectacl: Option<ObjectAcl>,
    useragent: Option<String>,
    #[serde(default)]
    usedualstack: bool,
    #[serde(default)]
    accelerate: bool,
    #[serde(default)]
    usefipsendpoint: bool,
    loglevel: Option<String>,
    conditionalwrites: Option<bool>,
    chunksize: Option<ByteSize>,
    chunkconcurrency: Option<u16>,
    maxobjectsize: Option<ByteSize>,
    multipartcopythresholdsize: Option<ByteSize>,
    multipartcopychunksize: Option<ByteSize>,
    multipartcopymaxconcurrency: Option<u16>,
    connecttimeout: Option<ReadableDuration>,
    answertimeout: Option<ReadableDuration>,
    stalltimeout: Option<ReadableDuration>,
    assemblytimeout: Option<ReadableDuration>,
    uploadrate: Option<ByteSize>,
    idleconnections: Option<u16>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ObjectAcl {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    AwsExecRead,
    BucketOwnerRead,
    BucketOwnerFullControl,
}

impl From<ObjectAcl> for Acl {
    fn from(acl: ObjectAcl) -> Self {
        match acl {
            ObjectAcl::Private => Self::Private,
            ObjectAcl::PublicRead => Self::PublicRead,
            ObjectAcl::PublicReadWrite => Self::PublicReadWrite,
            ObjectAcl::AuthenticatedRead => Self::AuthenticatedRead,
            ObjectAcl::AwsExecRead => Self::AwsExecRead,
            ObjectAcl::BucketOwnerRead => Self::BucketOwnerRead,
            ObjectAcl::BucketOwnerFullControl => Self::BucketOwnerFullControl,
        }
    }
}

/// The keys that stand for the driver's settings.
const KEYS: &[(&str, &str)] = &[
    ("bucket", "bucket"),
    ("region", "region"),
    ("endpoint", "regionendpoint"),
    ("url_endpoint", "redirectendpoint"),
    ("root", "rootdirectory"),
    ("user_agent", "useragent"),
    ("part_size", "chunksize"),
    ("part_concurrency", "chunkconcurrency"),
    ("object_bytes", "maxobjectsize"),
    ("copy_threshold", "multipartcopythresholdsize"),
    ("copy_part_size", "multipartcopychunksize"),
    ("copy_concurrency", "multipartcopymaxconcurrency"),
    ("upload_rate", "uploadrate"),
];

/// What is sent as it is. The ancestor knows these and two more: NONE sends nothing, EXPRESS_ONEZONE is refused.
const STORAGE_CLASSES: &[&str] =
    &["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "OUTPOSTS", "GLACIER_IR"];

fn options(parameters: Parameters, remarks: &mut Remarks<'_>) -> Option<S3Options> {
    refuse_what_the_driver_has_not(&parameters, remarks);
    let mut options = S3Options::new(parameters.bucket);
    options.region = given(parameters.region);
    options.endpoint = given(parameters.regionendpoint).map(|place| endpoint(place, parameters.secure, remarks));
    options.url_endpoint = given(parameters.redirectendpoint);
    options.path_style = parameters.forcepathstyle;
    // Amazon honours conditions. Of the others some ignore them without a word, which would lose writes.
    options.conditional_writes = parameters.conditionalwrites.unwrap_or(options.endpoint.is_none());
    options.credentials = credentials(parameters.accesskey, parameters.secretkey, parameters.sessiontoken, remarks)?;
    options.root = parameters.rootdirectory.trim_matches('/').to_owned();
    options.encryption = encryption(parameters.encrypt, given(parameters.keyid), remarks);
    options.storage_class = storage_class(given(parameters.storageclass), remarks);
    options.acl = parameters.objectacl.map(Acl::from);
    options.user_agent = given(parameters.useragent).map(product_name);
    options.dual_stack = parameters.usedualstack;
    options.accelerate = parameters.accelerate;
    options.fips = parameters.usefipsendpoint;
    set(&mut options.part_size, parameters.chunksize);
    set(&mut options.part_concurrency, parameters.chunkconcurrency);
    set(&mut options.object_bytes, parameters.maxobjectsize);
    set(&mut options.copy_threshold, parameters.multipartcopythresholdsize);
    set(&mut options.copy_part_size, parameters.multipartcopychunksize);
    set(&mut options.copy_concurrency, parameters.multipartcopymaxconcurrency);
    set(&mut options.idle_connections, parameters.idleconnections);
    let timeouts = &mut options.timeouts;
    set(&mut timeouts.upload_rate, parameters.uploadrate);
    set_time(&mut timeouts.connect, "connecttimeout", parameters.connecttimeout, remarks);
    set_time(&mut timeouts.answer, "answertimeout", parameters.answertimeout, remarks);
    set_time(&mut timeouts.stall, "stalltimeout", parameters.stalltimeout, remarks);
    set_time(&mut timeouts.assembly, "assemblytimeout", parameters.assemblytimeout, remarks);
    refuse_contradicting_endpoints(&options, remarks);
    tell(options.mistakes(), KEYS, remarks);
    Some(options)
}

fn refuse_what_the_driver_has_not(parameters: &Parameters, remarks: &mut Remarks<'_>) {
    if parameters.skipverify {
        let message = "certificates are always verified; let the machine trust the authority that signed the service's \
                       (SSL_CERT_FILE names a file of authorities)";
        remarks.mistake("skipverify", message);
    }
    if parameters.v4auth == Some(false) {
        remarks.mistake("v4auth", "requests are signed by version 4 and no other; leave the key out");
    }
    if parameters.secure == Some(false) && !remarks.has("regionendpoint") {
        remarks.mistake("secure", "plain HTTP is for a `regionendpoint`, and there is none");
    }
    if parameters.loglevel.as_deref().is_some_and(|level| !matches!(level, "" | "off" | "false")) {
        remarks.warning("loglevel", "ignored: requests are not logged; the layer `trace` logs the calls");
    }
}

/// The endpoint as a URL. A bare host gets the scheme that `secure` asks for.
fn endpoint(place: String, secure: Option<bool>, remarks: &mut Remarks<'_>) -> String {
    match (place.split_once("://"), secure) {
        (None, Some(false)) => return format!("http://{place}"),
        (None, _) => return format!("https://{place}"),
        (Some((scheme, _)), Some(true)) if scheme.eq_ignore_ascii_case("http") => {
            remarks.mistake("secure", "`true` contradicts the `http://` of `regionendpoint`");
        }
        (Some((scheme, _)), Some(false)) if scheme.eq_ignore_ascii_case("https") => {
            remarks.mistake("secure", "`false` contradicts the `https://` of `regionendpoint`");
        }
        (Some(_), _) => {}
    }
    place
}

fn refuse_contradicting_endpoints(options: &S3Options, remarks: &mut Remarks<'_>) {
    let kinds =
        [("usedualstack", options.dual_stack), ("accelerate", options.accelerate), ("usefipsendpoint", options.fips)];
    if options.endpoint.is_some() {
        for (key, _) in kinds.into_iter().filter(|(_, wanted)| *wanted) {
            remarks.mistake(key, "contradicts `regionendpoint`: it chooses among Amazon's own endpoints");
        }
    }
    if options.accelerate && options.path_style {
        remarks
            .mistake("accelerate", "contradicts `forcepathstyle`: accelerated endpoints have the bucket in their host");
    }
    if options.accelerate && options.fips {
        remarks.mistake("accelerate", "contradicts `usefipsendpoint`: no accelerated endpoint is one of FIPS");
    }
}

fn credentials(
    access_key: Option<SecretText>,
    secret_key: Option<SecretText>,
    session_token: Option<SecretText>,
    remarks: &mut Remarks<'_>,
) -> Option<Credentials> {
    let session_token = given_secret(session_token);
    match (given_secret(access_key), given_secret(secret_key)) {
        (Some(access_key), Some(secret_key)) => Some(Credentials::Key {
            access_key,
            secret_key: Secret::new(secret_key),
            session_token: session_token.map(Secret::new),
        }),
        (None, None) => {
            if session_token.is_some() {
                remarks.mistake("sessiontoken", "a token needs `accesskey` and `secretkey` as well");
            }
            Some(Credentials::Environment)
        }
        (Some(_), None) => {
            remarks.mistake("accesskey", "`secretkey` is missing; give both, or none to take what the environment has");
            None
        }
        (None, Some(_)) => {
            remarks.mistake("secretkey", "`accesskey` is missing; give both, or none to take what the environment has");
            None
        }
    }
}

fn encryption(encrypt: bool, key_id: Option<String>, remarks: &mut Remarks<'_>) -> Option<Encryption> {
    match (encrypt, key_id) {
        (false, None) => None,
        (true, None) => Some(Encryption::Aes256),
        (true, key_id) => Some(Encryption::Kms { key_id }),
        (false, Some(_)) => {
            remarks.mistake("keyid", "a key is of no use without `encrypt: true`");
            None
        }
    }
}

fn storage_class(class: Option<String>, remarks: &mut Remarks<'_>) -> Option<String> {
    let class = class?.to_uppercase();
    match class.as_str() {
        "NONE" => None,
        "EXPRESS_ONEZONE" => {
            let message = "buckets of this class list and delete by other rules, on which the driver was not proven";
            remarks.mistake("storageclass", message);
            None
        }
        known if STORAGE_CLASSES.contains(&known) => Some(class),
        _ => {
            let mut allowed = STORAGE_CLASSES.to_vec();
            allowed.push("NONE");
            let message = format!("{} is no storage class; {}", quote(&class), advice(&class, &allowed));
            remarks.mistake("storageclass", message);
            None
        }
    }
}

/// The ancestor takes any text. What a name of a product can't have becomes `-`.
fn product_name(text: String) -> String {
    let may_be = |character: char| character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character);
    text.chars().map(|character| if may_be(character) { character } else { '-' }).collect()
}

async fn open(options: S3Options) -> Result<Opened> {
    let root = options.root.trim_matches('/').to_owned();
    let driver = S3Driver::new(options)?;
    let (checking, sweeping) = (driver.clone(), driver.clone());
    Ok(Opened::new(Storage::new(driver))
        .with_key_root(root)
        .with_check(move |context| {
            let driver = checking.clone();
            async move { context.run(driver.check_connection()).await }
        })
        .with_sweep(move |context, age| {
            let driver = sweeping.clone();
            async move {
                let orphans = context.run(driver.orphaned_uploads(age)).await?;
                Ok(orphans.into_iter().map(|orphan| leftover(driver.clone(), orphan)).collect())
            }
        }))
}

fn leftover(driver: S3Driver, orphan: OrphanedUpload) -> Leftover {
    let description = format!("the upload {} to {}", orphan.upload_id, orphan.path);
    let begun = orphan.initiated;
    Leftover::new(description, move || async move { driver.abort_orphaned_upload(&orphan).await }).begun(begun)
}
