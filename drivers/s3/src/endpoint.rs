//! Where requests go: found by Amazon's rules once, and remembered.

use std::sync::OnceLock;

use aws_sdk_s3::config::endpoint::{DefaultResolver, Endpoint, EndpointFuture, Params, ResolveEndpoint};

/// Amazon's rules, asked by the first request alone. The client has an answer for each key, and a driver seldom asks for the
/// same key twice; but the rules look at the bucket, the region and the settings, which one client has the same for all
/// requests, and at no key, prefix or source of a copy.
#[derive(Debug, Default)]
pub(crate) struct OneEndpoint {
    rules: DefaultResolver,
    found: OnceLock<Endpoint>,
}

impl ResolveEndpoint for OneEndpoint {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        if let Some(endpoint) = self.found.get() {
            return EndpointFuture::ready(Ok(endpoint.clone()));
        }
        EndpointFuture::new(async move {
            let endpoint = ResolveEndpoint::resolve_endpoint(&self.rules, params).await?;
            Ok(self.found.get_or_init(|| endpoint).clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::endpoint::ParamsBuilder;

    use super::*;

    fn settings() -> Vec<ParamsBuilder> {
        let at = |bucket: &str| Params::builder().bucket(bucket).region("eu-west-1");
        let path_style = at("with.dots").endpoint("http://127.0.0.1:3900").force_path_style(true);
        vec![
            path_style,
            at("plain").endpoint("https://storage.example:8443"),
            at("plain"),
            at("with.dots"),
            at("plain").accelerate(true).use_dual_stack(true),
            at("plain").use_fips(true),
            at("Odd_Name"),
            at("arn:aws:s3:us-west-2:123456789012:accesspoint:mine"),
        ]
    }

    #[tokio::test]
    async fn the_rules_look_at_no_key() {
        for setting in settings() {
            let one = OneEndpoint::default();
            for name in ["a", "b/c", "~/a b%/ü~", "arn:aws:s3:::x"] {
                let params = setting.clone().key(name).prefix(name).copy_source(name).build().unwrap();
                let by_rules = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &params).await.unwrap();
                assert_eq!(one.resolve_endpoint(&params).await.unwrap(), by_rules, "{params:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_refused_is_not_remembered() {
        let one = OneEndpoint::default();
        let refused = Params::builder().bucket("plain").region("not a region").build().unwrap();
        assert!(one.resolve_endpoint(&refused).await.is_err());
        assert!(one.resolve_endpoint(&settings()[0].clone().build().unwrap()).await.is_ok());
    }
}
