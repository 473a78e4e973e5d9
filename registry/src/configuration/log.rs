//! `log`: what is told of what happens.

use std::collections::BTreeMap;

use driver_factory::Sections;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// `log`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// `level`.
    pub level: Level,
    /// `formatter`.
    pub format: Format,
    /// Whether each request is noted: not with `accesslog.disabled`.
    pub access: bool,
    /// `fields`: what every line has.
    pub fields: BTreeMap<String, String>,
}

/// From which lines on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Level {
    Error,
    #[serde(alias = "warning")]
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    #[serde(alias = "logstash")]
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Keys {
    level: Option<Level>,
    formatter: Format,
    accesslog: AccessLog,
    fields: BTreeMap<String, String>,
    hooks: Option<IgnoredAny>,
    reportcaller: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AccessLog {
    disabled: bool,
}

pub(super) fn read(sections: &mut Sections<'_>) -> Log {
    let keys: Keys = sections.read("log");
    let old: Option<Level> = sections.read("loglevel");
    if old.is_some() {
        sections.warning("loglevel", "the old name of `log.level`");
    }
    if keys.hooks.is_some() {
        sections.warning("log.hooks", "ignored: what reads the log can send mail");
    }
    if keys.reportcaller {
        sections.warning("log.reportcaller", "ignored: every line says which part of the program it is from");
    }
    Log {
        level: keys.level.or(old).unwrap_or_default(),
        format: keys.formatter,
        access: !keys.accesslog.disabled,
        fields: keys.fields,
    }
}
