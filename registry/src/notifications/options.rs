//! The section `notifications` of a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use driver_factory::{ByteSize, ReadableDuration, SecretText};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

/// The least size of a journal.
const LEAST_SPOOL_BYTES: u64 = 64 * 1024;
/// The longest name of an endpoint: it names a directory, in which a character may take three.
const LONGEST_NAME: usize = 80;

/// `notifications`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NotificationOptions {
    /// `events`.
    pub events: EventOptions,
    /// `endpoints`: who is told.
    pub endpoints: Vec<EndpointOptions>,
    /// `spool`: where events are kept until they are delivered.
    pub spool: SpoolOptions,
}

/// `notifications.events`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EventOptions {
    /// Whether events about manifests tell what those name.
    pub includereferences: bool,
}

/// One of `notifications.endpoints`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct EndpointOptions {
    /// What it is called in logs, in metrics and in the spool.
    pub name: String,
    /// Whether it is told nothing.
    pub disabled: bool,
    /// Where events are sent.
    pub url: String,
    /// What is sent with each.
    pub headers: BTreeMap<String, Vec<SecretText>>,
    /// How long an answer may take: a second.
    pub timeout: Option<ReadableDuration>,
    /// After how many failures in a row it is left alone for a while: 10.
    pub threshold: Option<u32>,
    /// For how long: a second.
    pub backoff: Option<ReadableDuration>,
    /// The older spelling of `ignore.mediatypes`.
    pub ignoredmediatypes: Vec<String>,
    /// What it is not told of.
    pub ignore: IgnoreOptions,
}

/// Addresses may have passwords in them, as headers may.
impl fmt::Debug for EndpointOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.address().map_or_else(|_| "(none)".to_owned(), |url| shown(&url));
        f.debug_struct("EndpointOptions").field("name", &self.name).field("url", &url).finish_non_exhaustive()
    }
}

/// An address without what may be a secret in it: the password, and the query.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // What has a host has room for both.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// `ignore` of an endpoint.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct IgnoreOptions {
    /// Of what is of these media types.
    pub mediatypes: Vec<String>,
    /// Of these actions.
    pub actions: Vec<String>,
}

/// `notifications.spool`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct SpoolOptions {
    /// The directory; without one, events are kept in memory only.
    pub directory: Option<PathBuf>,
    /// How many bytes the journal of each endpoint may have.
    pub maxsize: ByteSize,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self { directory: None, maxsize: ByteSize(128 * 1024 * 1024) }
    }
}

/// What is wrong in the section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key, below `notifications`: `endpoints[0].url`.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

impl NotificationOptions {
    /// Everything that is wrong, of what the types of the keys do not tell.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut names = BTreeSet::new();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let mut mistake = |key: &str, message: String| {
                mistakes.push(Mistake { key: format!("endpoints[{index}].{key}"), message });
            };
            if endpoint.name.is_empty() || endpoint.name.len() > LONGEST_NAME {
                mistake("name", format!("an endpoint needs a name of at most {LONGEST_NAME} bytes"));
            } else if !names.insert(endpoint.name.as_str()) {
                mistake("name", format!("there is another endpoint with the name {:?}", endpoint.name));
            }
            if endpoint.disabled {
                continue;
            }
            if let Err(message) = endpoint.address() {
                mistake("url", message);
            }
            for name in endpoint.unfit_headers() {
                mistake("headers", format!("{name:?} cannot be sent, or not with that value"));
            }
            let known = |action: &&String| !matches!(action.as_str(), "pull" | "push" | "mount" | "delete");
            for action in endpoint.ignore.actions.iter().filter(known) {
                mistake("ignore.actions", format!("no event is a {action:?}: they are pull, push, mount and delete"));
            }
        }
        if self.spool.maxsize.0 < LEAST_SPOOL_BYTES {
            let message = format!("a journal needs at least {LEAST_SPOOL_BYTES} bytes");
            mistakes.push(Mistake { key: "spool.maxsize".to_owned(), message });
        }
        mistakes
    }
}

impl EndpointOptions {
    pub(super) fn address(&self) -> Result<Url, String> {
        // What is wrong is not shown: addresses may have passwords in them.
        let url =
            Url::parse(&self.url).map_err(|error| format!("expected an address such as https://host/path: {error}"))?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(url)
        } else {
            Err("expected an address such as https://host/path".to_owned())
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        nonzero(self.timeout)
    }

    pub(super) fn threshold(&self) -> u32 {
        self.threshold.filter(|threshold| *threshold > 0).unwrap_or(10)
    }

    pub(super) fn backoff(&self) -> Duration {
        nonzero(self.backoff)
    }

    pub(super) fn is_ignored(&self, action: &str, media_type: Option<&str>) -> bool {
        let is_among = |list: &[String], text: &str| list.iter().any(|listed| listed == text);
        is_among(&self.ignore.actions, action)
            || media_type.is_some_and(|media_type| {
                is_among(&self.ignoredmediatypes, media_type) || is_among(&self.ignore.mediatypes, media_type)
            })
    }

    /// The headers that can be sent, which no output shows.
    pub(super) fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in self.headers() {
            if let Ok((name, value)) = as_header(name, value) {
                map.append(name, value);
            }
        }
        map
    }

    fn unfit_headers(&self) -> BTreeSet<&str> {
        self.headers().filter(|(name, value)| as_header(name, value).is_err()).map(|(name, _)| name).collect()
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &SecretText)> {
        self.headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value)))
    }
}

fn nonzero(duration: Option<ReadableDuration>) -> Duration {
    duration.map(|duration| duration.0).filter(|duration| !duration.is_zero()).unwrap_or(Duration::from_secs(1))
}

fn as_header(name: &str, value: &SecretText) -> Result<(HeaderName, HeaderValue), ()> {
    let name = HeaderName::try_from(name).map_err(|_| ())?;
    let mut value = HeaderValue::try_from(value.clone().reveal()).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(value: serde_json::Value) -> NotificationOptions {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_not_said_is_as_with_the_ancestor() {
        let options =
            options(json!({ "endpoints": [{ "name": "a", "url": "http://a/b", "timeout": "0s", "threshold": 0 }] }));
        let endpoint = &options.endpoints[0];
        assert_eq!(endpoint.timeout(), Duration::from_secs(1));
        assert_eq!((endpoint.threshold(), endpoint.backoff()), (10, Duration::from_secs(1)));
        assert!(!options.events.includereferences && options.spool.directory.is_none());
        assert_eq!(options.mistakes(), []);
    }

    #[test]
    fn every_mistake_is_told_and_no_secret_is() {
        let options = options(json!({
            "endpoints": [
                { "name": "a", "url": "ftp://user:hunter2@a/", "headers": { "a b": ["hunter2"], "c": ["hunter2\n"] } },
                { "name": "a", "url": "hunter2", "ignore": { "actions": ["look", "pull"] } },
                { "url": "", "disabled": true },
            ],
            "spool": { "maxsize": "1" },
        }));
        let mistakes = options.mistakes();
        let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "endpoints[0].url",
                "endpoints[0].headers",
                "endpoints[0].headers",
                "endpoints[1].name",
                "endpoints[1].url",
                "endpoints[1].ignore.actions",
                "endpoints[2].name",
                "spool.maxsize"
            ]
        );
        assert!(!format!("{mistakes:?}{options:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_ignored_is_a_media_type_or_an_action() {
        let options = options(json!({ "endpoints": [{
            "ignoredmediatypes": ["old"], "ignore": { "mediatypes": ["new"], "actions": ["pull"] } }] }));
        let endpoint = &options.endpoints[0];
        for (action, media_type, is_ignored) in [
            ("push", Some("other"), false),
            ("push", None, false),
            ("push", Some("old"), true),
            ("delete", Some("new"), true),
            ("pull", Some("other"), true),
            ("pull", None, true),
        ] {
            assert_eq!(endpoint.is_ignored(action, media_type), is_ignored, "{action} {media_type:?}");
        }
    }
}
