//! The registry as a page for people: what it has, read in a browser, without scripts and without anything to build.
//!
//! A page under `/ui/` shows what the API answers under `/v2/` at the same path, and is for whoever may ask that of the API:
//! `/ui/NAME/tags/list`, `/ui/NAME/manifests/REFERENCE`, `/ui/NAME/referrers/DIGEST`. The list of repositories is `/`, for
//! clients that ask for HTML; to all others `/` stays what says that the process is alive, which costs the storage nothing.
//!
//! Nothing is changed by a page, nobody is notified of one, and how much one shows is bounded.

mod address;
mod figures;
mod frame;
mod html;
mod lists;
mod manifest;
mod refusal;

use driver_api::Context;
use http::header::ACCEPT;
use http::{Method, Response, StatusCode, request};

use self::address::{Addresses, ROOT};
use self::frame::Page;
use crate::body::Body;
use crate::error::ApiError;
use crate::health::Health;
use crate::page::Query;
use crate::registry::{Registry, nothing_here, unhealthy, wanted, without_body};
use crate::route::{NoRoute, Route};

/// Which page a request asks for.
#[derive(Debug)]
pub(crate) struct Asked(Result<Route, NoRoute>);

impl Asked {
    /// None where it is no page that is asked for. `path` begins behind any prefix of the server.
    pub(crate) fn read(path: &str, head: &request::Parts) -> Option<Self> {
        if path == "/" {
            return (!is_reading(&head.method) || wants_html(head)).then_some(Self(Ok(Route::Catalog)));
        }
        let rest = path.strip_prefix(ROOT)?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        Some(Self(match Route::below(ROOT, path) {
            Ok(Route::Base | Route::Catalog) => Ok(Route::Catalog),
            Ok(route @ (Route::Tags(_) | Route::Manifest(..) | Route::Referrers(..))) => Ok(route),
            Ok(_) => Err(NoRoute::Unknown),
            Err(error) => Err(error),
        }))
    }
}

const fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Browsers ask for HTML by name. What asks whether a process is alive takes anything, or says nothing of it.
fn wants_html(head: &request::Parts) -> bool {
    let accepted = head.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/html")
    })
}

/// What the pages are made from.
struct View<'a> {
    registry: &'a Registry,
    context: Context,
    query: Query,
    addresses: Addresses<'a>,
}

impl Registry {
    /// Answers with a page, whatever goes wrong.
    pub(crate) async fn page(&self, asked: Asked, head: &request::Parts, context: Context) -> Response<Body> {
        let addresses = Addresses::below(&self.options().location.prefix);
        let view = View { registry: self, context, query: Query::read(head.uri.query()), addresses };
        let (page, status, others) = match view.page(asked, head).await {
            Ok(page) => (page, StatusCode::OK, http::HeaderMap::new()),
            Err(error) => {
                let (error, status, others) = error.into_parts();
                let page = refusal::page(&error, status, &others);
                (view.with_state(page, status, head).await, status, others)
            }
        };
        let mut response = Response::new(Body::full(page.write(addresses)));
        *response.status_mut() = status;
        *response.headers_mut() = others;
        response.headers_mut().extend(frame::headers());
        if head.method == Method::HEAD { without_body(response) } else { response }
    }
}

impl View<'_> {
    /// As the API goes about it, in the same order.
    async fn page(&self, Asked(route): Asked, head: &request::Parts) -> Result<Page, ApiError> {
        if self.health().is_some_and(Health::failing) {
            return Err(unhealthy());
        }
        let route = match route {
            Ok(route) => route,
            Err(NoRoute::Unknown) => return Err(nothing_here()),
            Err(NoRoute::Invalid(error)) => {
                return Err(self.registry.authorize(&head.headers, &[]).await.err().unwrap_or(error));
            }
        };
        if !is_reading(&head.method) {
            return Err(ApiError::method_not_allowed(&[Method::GET, Method::HEAD]));
        }
        self.registry.authorize(&head.headers, &wanted(&route, &Method::GET)).await?;
        match route {
            Route::Tags(name) => lists::tags(self, &name).await,
            Route::Manifest(name, reference) => manifest::page(self, &name, &reference).await,
            Route::Referrers(name, subject) => lists::referrers(self, &name, &subject).await,
            _ => lists::repositories(self).await,
        }
    }

    fn health(&self) -> Option<&Health> {
        self.registry.options().health.as_ref()
    }

    /// Why nothing can be served is for those who may see the list of what is served.
    async fn with_state(&self, page: Page, status: StatusCode, head: &request::Parts) -> Page {
        let wanted = wanted(&Route::Catalog, &Method::GET);
        let is_for_them =
            status == StatusCode::SERVICE_UNAVAILABLE && self.registry.authorize(&head.headers, &wanted).await.is_ok();
        if is_for_them { page.children(self.health().map(lists::state)) } else { page }
    }
}
