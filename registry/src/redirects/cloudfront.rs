//! Signed addresses of a CloudFront distribution.
//!
//! An address that ends and is otherwise as it is has a policy that both sides can write down ("canned"): its signature is by
//! RSA with PKCS #1 v1.5 and SHA-1, which is what CloudFront checks
//! (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use driver_api::{Error, ErrorKind, StoragePath, Url};
use driver_factory::{CloudFront, IpFilter};
use getrandom::SysRng;
use rsa::PrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{RandomizedSigner, SignatureEncoding};
use sha1::Sha1;

use super::address_ranges::AddressRanges;
use super::{RedirectError, below};

/// A distribution in front of the bucket of the storage.
pub(super) struct Distribution {
    base: Url,
    key_root: String,
    signer: Arc<Signer>,
    duration: Duration,
    /// The clients that are sent to the bucket itself.
    nearer: Option<AddressRanges>,
}

impl std::fmt::Debug for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Distribution").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Distribution {
    pub(super) fn new(options: &CloudFront, key_root: Option<&str>) -> Result<Self, RedirectError> {
        let wrong = |what: &str| RedirectError(format!("`cloudfront`: {what}"));
        let key_root =
            key_root.ok_or_else(|| wrong("only the driver `s3` has a bucket that a distribution can read"))?;
        // The ancestor takes an address without a scheme.
        let base = match options.baseurl.contains("://") {
            true => Url::parse(&options.baseurl),
            false => Url::parse(&format!("https://{}", options.baseurl)),
        };
        let base = base.ok().filter(|base| base.has_host() && matches!(base.scheme(), "http" | "https"));
        let base = base.ok_or_else(|| wrong("`baseurl` is the address of the distribution"))?;
        let pem = std::fs::read_to_string(&options.privatekey)
            .map_err(|error| wrong(&format!("`privatekey` {} cannot be read: {error}", options.privatekey)))?;
        let key = private_key(&pem).ok_or_else(|| {
            wrong(&format!("`privatekey` {} is no RSA key in PEM, of PKCS #1 or PKCS #8", options.privatekey))
        })?;
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_id(&options.keypairid) {
            return Err(wrong("`keypairid` is the id that CloudFront gave to the key: letters and digits"));
        }
        let signer = Signer { key: SigningKey::new(key), key_pair: options.keypairid.clone() };
        Ok(Self {
            base,
            key_root: key_root.to_owned(),
            signer: Arc::new(signer),
            duration: options.duration.0,
            nearer: nearer(options).map_err(|error| wrong(&error))?,
        })
    }

    /// Whether a client gets its contents from the distribution.
    pub(super) fn serves(&self, client: Option<IpAddr>) -> bool {
        let nearer = self.nearer.as_ref().zip(client);
        !nearer.is_some_and(|(nearer, client)| nearer.contain(client))
    }

    /// The address of a file, signed.
    pub(super) async fn address(&self, path: &StoragePath) -> Result<Url, Error> {
        let segments = self.key_root.split('/').filter(|segment| !segment.is_empty()).chain(path.components());
        let failed = |reason: String| Error::new(ErrorKind::Other, reason).with_path(path);
        let url = below(&self.base, segments).ok_or_else(|| failed("the address cannot have a path".to_owned()))?;
        let ends = SystemTime::now() + self.duration;
        let ends = ends.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let signer = Arc::clone(&self.signer);
        // It takes milliseconds, in which the thread would serve nobody else.
        let signed = tokio::task::spawn_blocking(move || signer.sign(url, ends)).await;
        signed.map_err(|error| failed(error.to_string()))?.map_err(failed)
    }
}

fn private_key(pem: &str) -> Option<PrivateKey> {
    PrivateKey::from_pkcs1_pem(pem).or_else(|_| PrivateKey::from_pkcs8_pem(pem)).ok()
}

fn nearer(options: &CloudFront) -> Result<Option<AddressRanges>, String> {
    let regions = match options.ipfilteredby {
        IpFilter::None => return Ok(None),
        IpFilter::Aws => Vec::new(),
        IpFilter::AwsRegion => {
            let regions = options.awsregion.split(',').map(|region| region.trim().to_ascii_lowercase());
            let regions: Vec<_> = regions.filter(|region| !region.is_empty()).collect();
            if regions.is_empty() {
                return Err("`ipfilteredby: awsregion` needs the regions, as `awsregion`".to_owned());
            }
            regions
        }
    };
    AddressRanges::watch(options.iprangesurl.as_deref(), regions, options.updatefrequency.0).map(Some)
}

struct Signer {
    key: SigningKey<Sha1>,
    key_pair: String,
}

impl Signer {
    /// `url`, usable until `ends`, in seconds since 1970.
    fn sign(&self, mut url: Url, ends: u64) -> Result<Url, String> {
        let policy = format!(
            r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{ends}}}}}}}]}}"#
        );
        let signature = self.key.try_sign_with_rng(&mut SysRng, policy.as_bytes());
        let signature = STANDARD.encode(signature.map_err(|error| format!("it cannot be signed: {error}"))?.to_bytes());
        // CloudFront's own alphabet. None of it, nor of an id, is escaped in a query.
        let signature: String = signature
            .chars()
            .map(|character| match character {
                '+' => '-',
                '=' => '_',
                '/' => '~',
                other => other,
            })
            .collect();
        url.set_query(Some(&format!("Expires={ends}&Signature={signature}&Key-Pair-Id={}", self.key_pair)));
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use driver_factory::Middleware;
    use driver_inmemory::MemoryDriver;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
    use rsa::pkcs1::EncodeRsaPublicKey;
    use rsa::pkcs8::{EncodePrivateKey, LineEnding};

    use super::super::Redirects;
    use super::*;

    const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/redirects");

    fn options(baseurl: &str, key: &str) -> CloudFront {
        CloudFront {
            baseurl: baseurl.to_owned(),
            privatekey: Path::new(DIRECTORY).join(key).to_string_lossy().into_owned(),
            keypairid: "K2JCJMDEHXQW5F".to_owned(),
            duration: driver_factory::ReadableDuration(Duration::from_secs(60)),
            ipfilteredby: IpFilter::None,
            awsregion: String::new(),
            updatefrequency: driver_factory::ReadableDuration(Duration::from_secs(3600)),
            iprangesurl: None,
        }
    }

    async fn found(options: &CloudFront, client: Option<&str>) -> Option<Url> {
        let redirects = Redirects::new(&[Middleware::CloudFront(options.clone())], Some("root/of it")).unwrap();
        let storage = driver_api::Storage::new(MemoryDriver::default());
        let (path, client) = ("/docker/a_b".parse().unwrap(), client.map(|client| client.parse().unwrap()));
        redirects.find(&storage, &Default::default(), &path, Default::default(), client).await.unwrap()
    }

    #[tokio::test]
    async fn an_address_is_signed_as_cloudfront_checks_it() {
        let key = private_key(&std::fs::read_to_string(format!("{DIRECTORY}/key.pem")).unwrap()).unwrap();
        let public = key.to_public_key().to_pkcs1_der().unwrap();
        let of_pkcs8 = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(of_pkcs8.path(), key.to_pkcs8_pem(LineEnding::LF).unwrap().as_bytes()).unwrap();
        for (key, base) in [("key.pem", "https://cdn.test/x/"), (of_pkcs8.path().to_str().unwrap(), "cdn.test/x")] {
            let earliest = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 60;
            let mut url = found(&options(base, key), Some("192.0.2.1")).await.unwrap();
            let query: Vec<_> =
                url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            let [(_, ends), (_, signature), (_, key_pair)] = &query[..] else { panic!("{url}") };
            assert_eq!(url.query().unwrap(), format!("Expires={ends}&Signature={signature}&Key-Pair-Id={key_pair}"));
            assert!((earliest..earliest + 30).contains(&ends.parse().unwrap()) && key_pair == "K2JCJMDEHXQW5F");
            url.set_query(None);
            assert_eq!(url.as_str(), "https://cdn.test/x/root/of%20it/docker/a_b");
            let policy = format!(
                r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{ends}}}}}}}]}}"#
            );
            let signature = STANDARD.decode(signature.replace('-', "+").replace('_', "=").replace('~', "/")).unwrap();
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, public.as_bytes())
                .verify(policy.as_bytes(), &signature)
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_client_that_is_nearer_to_the_bucket_is_sent_there() {
        let nearer = AddressRanges::fixed(vec!["192.0.2.0/24".parse().unwrap()]);
        let mut distribution = Distribution::new(&options("cdn.test", "key.pem"), Some("")).unwrap();
        distribution.nearer = Some(nearer);
        let redirects = Redirects(vec![super::super::Step::Distributed(distribution)]);
        let storage = driver_api::Storage::new(MemoryDriver::default());
        let path: StoragePath = "/a".parse().unwrap();
        // Memory has no addresses of its own.
        for (client, expected) in
            [(Some("192.0.2.9"), None), (Some("192.0.3.9"), Some("cdn.test")), (None, Some("cdn.test"))]
        {
            let client = client.map(|client| client.parse().unwrap());
            let found = redirects.find(&storage, &Default::default(), &path, Default::default(), client).await.unwrap();
            assert_eq!(found.as_ref().and_then(Url::host_str), expected, "{client:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_told_and_no_key_is_shown() {
        let right = options("https://cdn.test", "key.pem");
        let told = |options: CloudFront, root: Option<&str>| {
            Redirects::new(&[Middleware::CloudFront(options)], root).unwrap_err().to_string()
        };
        assert!(told(right.clone(), None).contains("only the driver `s3`"));
        assert!(told(options("ftp://cdn.test", "key.pem"), Some("")).contains("`baseurl`"));
        assert!(told(options("https://cdn.test", "missing"), Some("")).contains("cannot be read"));
        let no_key = told(options("https://cdn.test", "cloudfront.rs"), Some(""));
        assert!(no_key.contains("is no RSA key") && !no_key.contains("BEGIN"), "{no_key}");
        assert!(told(CloudFront { keypairid: "a&b".to_owned(), ..right.clone() }, Some("")).contains("`keypairid`"));
        let regions = CloudFront { ipfilteredby: IpFilter::AwsRegion, awsregion: " , ".to_owned(), ..right.clone() };
        assert!(told(regions, Some("")).contains("`awsregion`"));
        let ranges = CloudFront { ipfilteredby: IpFilter::Aws, iprangesurl: Some("no".to_owned()), ..right.clone() };
        assert!(told(ranges, Some("")).contains("`iprangesurl`"));
        let shown = format!("{:?}", Redirects::new(&[Middleware::CloudFront(right)], Some("")).unwrap());
        assert_eq!(shown, "Redirects([Distributed(Distribution { base: \"https://cdn.test/\", .. })])");
    }
}
