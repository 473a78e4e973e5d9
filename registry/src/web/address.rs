//! Where a link may lead: to a page, into the API, or to an address on the web.

use std::fmt::{Display, Formatter};

use blobstore::{Digest, RepositoryName};
use url::{Url, form_urlencoded};

/// The part of all addresses of pages but the first one's.
pub(super) const ROOT: &str = "/ui";

/// An address that a link may have.
#[derive(Debug, Clone)]
pub(super) struct Address(String);

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Address {
    /// What somebody else wrote; none where it is not of the web, as `javascript:` is not.
    pub(super) fn on_the_web(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_plain =
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        is_plain.then(|| Self(url.into()))
    }

    /// The next page of a list, behind `last`.
    pub(super) fn behind(&self, last: &str) -> Self {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("last", last).finish();
        Self(format!("{self}?{query}"))
    }
}

/// The addresses of one registry. Names, tags and digests have nothing that a path may not have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses<'a> {
    /// The path before `v2/`, without the last slash.
    prefix: &'a str,
}

impl<'a> Addresses<'a> {
    pub(super) fn below(prefix: &'a str) -> Self {
        Self { prefix: prefix.trim_end_matches('/') }
    }

    /// The list of repositories.
    pub(super) fn home(self) -> Address {
        Address(format!("{}/", self.prefix))
    }

    pub(super) fn repository(self, name: &RepositoryName) -> Address {
        Address(format!("{}{ROOT}/{name}/tags/list", self.prefix))
    }

    /// A manifest; `reference` is a tag or a digest.
    pub(super) fn manifest(self, name: &RepositoryName, reference: impl Display) -> Address {
        Address(format!("{}{ROOT}/{name}/manifests/{reference}", self.prefix))
    }

    pub(super) fn referrers(self, name: &RepositoryName, subject: &Digest) -> Address {
        Address(format!("{}{ROOT}/{name}/referrers/{subject}", self.prefix))
    }

    /// The content of a blob, from the API.
    pub(super) fn blob(self, name: &RepositoryName, digest: &Digest) -> Address {
        Address(format!("{}/v2/{name}/blobs/{digest}", self.prefix))
    }

    /// A manifest byte by byte, from the API.
    pub(super) fn raw_manifest(self, name: &RepositoryName, digest: &Digest) -> Address {
        Address(format!("{}/v2/{name}/manifests/{digest}", self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_others_is_of_the_web_or_none() {
        let address = |text: &str| Address::on_the_web(text).map(|address| address.to_string());
        assert_eq!(address("https://a.test/b?c=d&e").as_deref(), Some("https://a.test/b?c=d&e"));
        assert_eq!(address("HTTP://a.test").as_deref(), Some("http://a.test/"));
        for text in [
            "",
            "x",
            "/x",
            "//a.test",
            "javascript:alert(1)",
            " java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "https://trusted.test@a.test/",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_below_the_prefix() {
        let name: RepositoryName = "a/b".parse().unwrap();
        assert_eq!(Addresses::below("").home().behind("a/b&c").to_string(), "/?last=a%2Fb%26c");
        assert_eq!(Addresses::below("/x/").home().to_string(), "/x/");
        assert_eq!(Addresses::below("/x/").manifest(&name, "latest").to_string(), "/x/ui/a/b/manifests/latest");
    }
}
