//! Why there is no page, as a page.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, StatusCode};

use super::frame::Page;
use super::html::element;

/// A page that says what the API says as well.
pub(super) fn page(message: &str, status: StatusCode, headers: &HeaderMap) -> Page {
    let heading = match status {
        StatusCode::UNAUTHORIZED => "Sign in",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "Only to be read",
        StatusCode::SERVICE_UNAVAILABLE => "Not available",
        status if status.is_client_error() => "Not understood",
        _ => "Something failed",
    };
    let page = Page::new(heading).child(element("p").text(sentence(message)));
    page.children(advice(status, headers).map(|advice| element("p").text(advice)))
        .child(element("p").class("note").text(status))
}

fn advice(status: StatusCode, headers: &HeaderMap) -> Option<&'static str> {
    if status != StatusCode::UNAUTHORIZED {
        return None;
    }
    let challenge = headers.get(WWW_AUTHENTICATE)?.as_bytes();
    let is_basic = challenge.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Basic "));
    Some(if is_basic {
        "Load the page again to be asked for a name and a password."
    } else {
        "This registry takes tokens, which a browser cannot get by itself. Use a client of registries, or a program that sends \
         `Authorization: Bearer` with a token."
    })
}

/// Messages of the API begin in the middle of a line.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if message.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}
