//! Where clients are sent for the content of blobs, instead of getting it from the registry: addresses that the storage signs,
//! changed by what `middleware.storage` lists.

#[cfg(feature = "cloudfront")]
mod address_ranges;
#[cfg(feature = "cloudfront")]
mod cloudfront;

use std::net::IpAddr;

use driver_api::{Context, Storage, StoragePath, Url, UrlOptions};
use driver_factory::{Middleware, Rewrite};

#[cfg(feature = "cloudfront")]
use self::cloudfront::Distribution;

/// How addresses of contents are made, the innermost first.
#[derive(Debug, Default)]
pub struct Redirects(Vec<Step>);

#[derive(Debug)]
enum Step {
    /// Below an address, whatever came before.
    Below(Url),
    /// Of a distribution, whatever came before, but for clients that are nearer to the storage.
    #[cfg(feature = "cloudfront")]
    Distributed(Distribution),
    /// With other parts.
    Rewritten(Rewrite),
}

/// A middleware that cannot be used; why, for an operator.
#[derive(Debug, PartialEq, Eq)]
pub struct RedirectError(String);

impl std::fmt::Display for RedirectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`middleware.storage`: {}", self.0)
    }
}

impl std::error::Error for RedirectError {}

impl Redirects {
    /// Addresses as the middlewares make them. `key_root` is what comes before a path in the keys of the storage's bucket, if it
    /// has one. It needs a runtime where a middleware does something by itself from time to time.
    ///
    /// Errors: one that cannot be used.
    pub fn new(middlewares: &[Middleware], key_root: Option<&str>) -> Result<Self, RedirectError> {
        middlewares.iter().map(|middleware| Step::new(middleware, key_root)).collect::<Result<_, _>>().map(Self)
    }

    /// The address of a file for a client; none where it comes from the registry.
    pub(crate) async fn find(
        &self,
        storage: &Storage,
        context: &Context,
        path: &StoragePath,
        options: UrlOptions,
        client: Option<IpAddr>,
    ) -> Result<Option<Url>, driver_api::Error> {
        // What comes before an address of its own does not matter, and is not asked for.
        let own = self.0.iter().rposition(|step| step.has_own_address(client));
        let url = match own.and_then(|at| self.0.get(at)) {
            Some(step) => step.own_address(path).await?,
            None => storage.url_for(context, path, options).await?,
        };
        let rest = self.0.get(own.map_or(0, |at| at + 1)..).unwrap_or_default();
        Ok(rest.iter().fold(url, |url, step| match step {
            Step::Rewritten(rewrite) => rewritten(rewrite, url?),
            _ => url,
        }))
    }
}

impl Step {
    fn new(middleware: &Middleware, key_root: Option<&str>) -> Result<Self, RedirectError> {
        match middleware {
            Middleware::Redirect(redirect) => match Url::parse(&redirect.baseurl) {
                Ok(url) if url.has_host() => Ok(Self::Below(url)),
                _ => Err(RedirectError("`baseurl` of `redirect` is an address with a scheme and a host".to_owned())),
            },
            Middleware::Rewrite(rewrite) => Ok(Self::Rewritten(rewrite.clone())),
            #[cfg(feature = "cloudfront")]
            Middleware::CloudFront(options) => Distribution::new(options, key_root).map(Self::Distributed),
            #[cfg(not(feature = "cloudfront"))]
            Middleware::CloudFront(_) => {
                let _ = key_root;
                Err(RedirectError("this program was built without `cloudfront`".to_owned()))
            }
        }
    }

    #[cfg_attr(not(feature = "cloudfront"), allow(unused_variables, reason = "only a distribution looks at it"))]
    fn has_own_address(&self, client: Option<IpAddr>) -> bool {
        match self {
            Self::Below(_) => true,
            #[cfg(feature = "cloudfront")]
            Self::Distributed(distribution) => distribution.serves(client),
            Self::Rewritten(_) => false,
        }
    }

    async fn own_address(&self, path: &StoragePath) -> Result<Option<Url>, driver_api::Error> {
        match self {
            Self::Below(base) => Ok(below(base, path.components())),
            #[cfg(feature = "cloudfront")]
            Self::Distributed(distribution) => distribution.address(path).await.map(Some),
            Self::Rewritten(_) => Ok(None),
        }
    }
}

fn below<'a>(base: &Url, segments: impl Iterator<Item = &'a str>) -> Option<Url> {
    let mut below = base.clone();
    below.path_segments_mut().ok()?.pop_if_empty().extend(segments);
    Some(below)
}

/// The address with other parts; none where it would be none.
fn rewritten(rewrite: &Rewrite, mut url: Url) -> Option<Url> {
    if let Some(scheme) = rewrite.scheme.as_deref().filter(|scheme| !scheme.is_empty()) {
        url.set_scheme(scheme).ok()?;
    }
    if let Some(host) = rewrite.host.as_deref().filter(|host| !host.is_empty()) {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse().ok()),
            _ => (host, None),
        };
        url.set_host(Some(name)).ok()?;
        url.set_port(port).ok()?;
    }
    if let Some(rest) = rewrite.trimpathprefix.as_deref().and_then(|prefix| url.path().strip_prefix(prefix)) {
        let rest = rest.to_owned();
        url.set_path(&rest);
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use driver_factory::RedirectMiddleware;
    use driver_inmemory::MemoryDriver;

    use super::*;

    async fn found(middlewares: &[Middleware]) -> Option<String> {
        let storage = Storage::new(MemoryDriver::default());
        let path = "/docker/a_b".parse().unwrap();
        let redirects = Redirects::new(middlewares, None).unwrap();
        let url = redirects.find(&storage, &Context::background(), &path, UrlOptions::default(), None).await.unwrap();
        url.map(|url| url.to_string())
    }

    fn redirect(baseurl: &str) -> Middleware {
        Middleware::Redirect(RedirectMiddleware { baseurl: baseurl.to_owned() })
    }

    fn rewrite(scheme: &str, host: &str, prefix: &str) -> Middleware {
        let some = |text: &str| Some(text.to_owned());
        Middleware::Rewrite(Rewrite { scheme: some(scheme), host: some(host), trimpathprefix: some(prefix) })
    }

    #[tokio::test]
    async fn addresses_are_made_from_the_inside_out() {
        assert_eq!(found(&[]).await, None);
        assert_eq!(found(&[rewrite("https", "x", "")]).await, None);
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(found(&[redirect("http://cdn.test/x/")]).await, expected("http://cdn.test/x/docker/a_b"));
        assert_eq!(found(&[redirect("http://cdn.test")]).await, expected("http://cdn.test/docker/a_b"));
        let both = [redirect("http://cdn.test/x"), rewrite("https", "other.test:8443", "/x")];
        assert_eq!(found(&both).await, expected("https://other.test:8443/docker/a_b"));
        let both = [rewrite("https", "other.test", ""), redirect("http://cdn.test")];
        assert_eq!(found(&both).await, expected("http://cdn.test/docker/a_b"));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let error = Redirects::new(&[redirect("nowhere")], None).unwrap_err().to_string();
        assert!(error.starts_with("`middleware.storage`: `baseurl` of `redirect` is"), "{error}");
    }
}
