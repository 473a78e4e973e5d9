//! Where clients are sent for the content of blobs, instead of getting it from the registry: addresses that the storage signs,
//! changed by what `middleware.storage` lists.

use driver_api::{Context, Storage, StoragePath, Url, UrlOptions};
use driver_factory::{Middleware, Rewrite};

/// How addresses of contents are made, the innermost first.
#[derive(Debug, Default)]
pub struct Redirects(Vec<Step>);

#[derive(Debug)]
enum Step {
    /// Below an address, whatever came before.
    Below(Url),
    /// With other parts.
    Rewritten(Rewrite),
}

/// A middleware that cannot be used; why, for an operator.
#[derive(Debug, PartialEq, Eq)]
pub struct RedirectError(&'static str);

impl std::fmt::Display for RedirectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for RedirectError {}

impl Redirects {
    /// Addresses as the middlewares make them.
    ///
    /// Errors: one that cannot be used.
    pub fn new(middlewares: &[Middleware]) -> Result<Self, RedirectError> {
        middlewares.iter().map(Step::new).collect::<Result<_, _>>().map(Self)
    }

    /// The address of a file; none where it comes from the registry.
    pub(crate) async fn find(
        &self,
        storage: &Storage,
        context: &Context,
        path: &StoragePath,
        options: UrlOptions,
    ) -> Result<Option<Url>, driver_api::Error> {
        // What comes before a fixed address does not matter, and is not asked for.
        let fixed = self.0.iter().rposition(|step| matches!(step, Step::Below(_)));
        let url = match fixed {
            Some(_) => None,
            None => storage.url_for(context, path, options).await?,
        };
        let steps = self.0.get(fixed.unwrap_or_default()..).unwrap_or_default();
        Ok(steps.iter().fold(url, |url, step| step.apply(url, path)))
    }
}

impl Step {
    fn new(middleware: &Middleware) -> Result<Self, RedirectError> {
        match middleware {
            Middleware::Redirect(redirect) => match Url::parse(&redirect.baseurl) {
                Ok(url) if url.has_host() => Ok(Self::Below(url)),
                _ => Err(RedirectError(
                    "`middleware.storage`: `baseurl` of `redirect` is an address with a scheme and a host",
                )),
            },
            Middleware::Rewrite(rewrite) => Ok(Self::Rewritten(rewrite.clone())),
            Middleware::CloudFront(_) => Err(RedirectError(
                "`middleware.storage`: `cloudfront` signs with RSA and SHA-1, which this program does not; use `redirect` with a \
                 distribution that is restricted by other means",
            )),
        }
    }

    fn apply(&self, url: Option<Url>, path: &StoragePath) -> Option<Url> {
        match self {
            Self::Below(base) => {
                let mut below = base.clone();
                below.path_segments_mut().ok()?.pop_if_empty().extend(path.components());
                Some(below)
            }
            Self::Rewritten(rewrite) => rewritten(rewrite, url?),
        }
    }
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
        let redirects = Redirects::new(middlewares).unwrap();
        let url = redirects.find(&storage, &Context::background(), &path, UrlOptions::default()).await.unwrap();
        url.map(|url| url.to_string())
    }

    fn below(baseurl: &str) -> Middleware {
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
        assert_eq!(found(&[below("http://cdn.test/x/")]).await, expected("http://cdn.test/x/docker/a_b"));
        assert_eq!(found(&[below("http://cdn.test")]).await, expected("http://cdn.test/docker/a_b"));
        let both = [below("http://cdn.test/x"), rewrite("https", "other.test:8443", "/x")];
        assert_eq!(found(&both).await, expected("https://other.test:8443/docker/a_b"));
        let both = [rewrite("https", "other.test", ""), below("http://cdn.test")];
        assert_eq!(found(&both).await, expected("http://cdn.test/docker/a_b"));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        assert!(Redirects::new(&[below("nowhere")]).is_err());
    }
}
