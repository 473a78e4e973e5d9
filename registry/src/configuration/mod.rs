//! The configuration file of a registry: the ancestor's, with every mistake told at its line before anything is opened.

mod http;
mod log;
mod redis;

use std::path::Path;

use driver_factory::{ConfigErrors, Document, Factory, Finding, SECTIONS, Sections, StorageSection};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::access::AccessOptions;
use crate::health::HealthOptions;
use crate::notifications::NotificationOptions;

pub use self::http::{Address, ClientCertificates, Debug, Http, Tls, TlsVersion};
pub use self::log::{Format, Level, Log};
pub use self::redis::{Redis, RedisFiles};

/// The configuration of a registry, right in every key.
#[derive(Debug)]
pub struct Configuration {
    /// `storage`, and `middleware.storage`.
    pub storage: StorageSection,
    /// `http`.
    pub http: Http,
    /// `log`.
    pub log: Log,
    /// `redis`.
    pub redis: Option<Redis>,
    /// `auth`.
    pub access: AccessOptions,
    /// `notifications`.
    pub notifications: NotificationOptions,
    /// `health`.
    pub health: HealthOptions,
    /// The most repositories in a page of the catalog: `catalog.maxentries`.
    pub catalog_page: usize,
    /// The most tags in a page: `tags.maxtags`.
    pub tags_page: usize,
}

/// What is beside `storage`.
struct Others {
    http: Http,
    log: Log,
    redis: Option<Redis>,
    access: AccessOptions,
    notifications: NotificationOptions,
    health: HealthOptions,
    catalog_page: usize,
    tags_page: usize,
}

/// How many entries a page has where nothing is said.
const PAGE: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Catalog {
    maxentries: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tags {
    maxtags: Option<usize>,
}

impl Configuration {
    /// Reads a document, with the overrides of `variables`, the environment.
    ///
    /// Errors: all mistakes there are.
    pub fn read(
        factory: &Factory,
        document: Document,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let (storage, others) = factory.read_with(document, variables, Others::read)?;
        let Others { http, log, redis, access, notifications, health, catalog_page, tags_page } = others;
        Ok(Self { storage, http, log, redis, access, notifications, health, catalog_page, tags_page })
    }

    /// The configuration without a file: everything on this machine, below `directory`.
    ///
    /// Errors: what the environment has wrong.
    pub fn without_file(
        factory: &Factory,
        directory: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let directory = serde_json::Value::from(directory.to_string_lossy());
        // JSON is YAML.
        let text = format!("{{\"version\": 0.1, \"storage\": {{\"filesystem\": {{\"rootdirectory\": {directory}}}}}}}");
        Self::read(factory, Document::parse("defaults", &text)?, variables)
    }

    /// What is doubtful in it.
    pub fn warnings(&self) -> &[Finding] {
        &self.storage.warnings
    }
}

impl Others {
    fn read(sections: &mut Sections<'_>) -> Self {
        check_version(sections);
        sections.allow(SECTIONS);
        ignore(sections);
        let catalog: Catalog = sections.read("catalog");
        let tags: Tags = sections.read("tags");
        Self {
            http: http::read(sections),
            log: log::read(sections),
            redis: redis::read(sections),
            access: access(sections),
            notifications: notifications(sections),
            health: sections.read("health"),
            catalog_page: catalog.maxentries.unwrap_or(PAGE),
            tags_page: tags.maxtags.unwrap_or(PAGE),
        }
    }
}

/// Exactly one way to decide, or none at all.
fn access(sections: &mut Sections<'_>) -> AccessOptions {
    let ways = sections.keys("auth");
    if ways.len() > 1 {
        sections.mistake("auth", format!("one way to decide who may do what is enough: {}", ways.join(", ")));
    }
    match ways.first().map(String::as_str) {
        // The ancestor takes any parameters.
        Some("none") => AccessOptions::None {},
        _ => sections.read("auth"),
    }
}

fn notifications(sections: &mut Sections<'_>) -> NotificationOptions {
    let options: NotificationOptions = sections.read("notifications");
    for mistake in options.mistakes() {
        sections.mistake(&format!("notifications.{}", mistake.key), mistake.message);
    }
    options
}

fn check_version(sections: &mut Sections<'_>) {
    let version: String = sections.read("version");
    if sections.has("version") && version != "0.1" {
        sections.mistake("version", "the only version is 0.1");
    }
}

/// What may be there and does nothing, or must not be there.
fn ignore(sections: &mut Sections<'_>) {
    if sections.has("proxy.remoteurl") {
        sections.mistake("proxy", "this registry is no proxy of another; take the section away");
    }
    for (key, advice) in [
        ("reporting", "there is no reporting to other services"),
        ("compatibility", "manifests of schema 1 are served and not taken"),
        ("policy", "repositories have no classes here"),
        ("validation", "manifests are checked as the specification says, and addresses of layers are not looked at"),
        ("middleware.registry", "there is no such middleware"),
        ("middleware.repository", "there is no such middleware"),
    ] {
        if sections.has(key) {
            let _: Option<IgnoredAny> = sections.read(key);
            sections.warning(key, format!("ignored: {advice}"));
        }
    }
}

#[cfg(test)]
mod tests;
