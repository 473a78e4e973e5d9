//! The end of a copy that is under way, for which the crate has no request: one to delete is made into it before it is signed.

use std::sync::Arc;

use azure_core::headers::{CONTENT_LENGTH, HeaderName, HeaderValue, MS_DATE, VERSION};
use azure_core::{Context, Method, Policy, PolicyResult, Request};
use driver_api::async_trait;

use crate::client::reading::forward;

const ACTION: HeaderName = HeaderName::from_static("x-ms-copy-action");

/// Which copy is to end. Travels in the context of the request.
#[derive(Debug, Clone)]
pub(super) struct Abort(pub(super) String);

/// Makes a request with an [`Abort`] into the one that aborts.
#[derive(Debug)]
pub(super) struct Aborting;

#[async_trait]
impl Policy for Aborting {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some(Abort(copy)) = context.get::<Abort>() else { return forward(context, request, next).await };
        let mut url = request.url().clone();
        url.query_pairs_mut().append_pair("comp", "copy").append_pair("copyid", copy);
        let mut abort = Request::new(url, Method::Put);
        for (name, value) in request.headers().iter() {
            if [CONTENT_LENGTH, MS_DATE, VERSION].contains(name) {
                abort.insert_header::<HeaderName, HeaderValue>(name.clone(), value.clone());
            }
        }
        abort.insert_header(ACTION, "abort");
        forward(context, &mut abort, next).await
    }
}
