//! The drivers of this build, each behind a cargo feature and in a module of its own with the parameters it takes in a file.

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "filesystem")]
mod filesystem;
#[cfg(feature = "inmemory")]
mod inmemory;
#[cfg(feature = "s3")]
mod s3;

use crate::factory::Factory;

/// Drivers of this project that a build can leave out, and the other names of them.
pub(crate) const KNOWN: &[&str] = &["filesystem", "inmemory", "s3", "s3aws", "azure"];

impl Factory {
    /// The drivers of this build.
    pub fn builtin() -> Self {
        let factory = Self::empty();
        #[cfg(feature = "filesystem")]
        let factory = factory.with("filesystem", filesystem::open);
        #[cfg(feature = "inmemory")]
        let factory = factory.with("inmemory", inmemory::open);
        #[cfg(feature = "s3")]
        let factory = factory.with_registration(s3::registration());
        #[cfg(feature = "azure")]
        let factory = factory.with_registration(azure::registration());
        factory
    }
}

/// What drivers of services have in common in their parameters.
#[cfg(any(feature = "s3", feature = "azure"))]
mod service {
    use crate::layers::{LayerSettings, RetrySettings};
    use crate::registration::Remarks;
    use crate::values::{ReadableDuration, SecretText};

    /// The layers where the file lists none: a service that is busy for a moment is no reason to fail, and the drivers
    /// repeat nothing by themselves. They bound what they do at once, so there is no limit on calls.
    pub(super) fn default_layers() -> [LayerSettings; 1] {
        [LayerSettings::Retry(RetrySettings::default())]
    }

    /// A key without text is one that is not there: files made of templates have such keys.
    pub(super) fn given(text: Option<String>) -> Option<String> {
        text.filter(|text| !text.is_empty())
    }

    /// The same of a secret.
    pub(super) fn given_secret(text: Option<SecretText>) -> Option<String> {
        given(text.map(SecretText::reveal))
    }

    /// Sets what the file gives; else the driver's default stays.
    pub(super) fn set<T, U: Into<T>>(setting: &mut T, given: Option<U>) {
        if let Some(value) = given {
            *setting = value.into();
        }
    }

    /// Sets a limit on waiting; nothing is done in no time at all.
    pub(super) fn set_time(
        setting: &mut std::time::Duration,
        key: &str,
        given: Option<ReadableDuration>,
        remarks: &mut Remarks<'_>,
    ) {
        match given {
            Some(ReadableDuration(time)) if time.is_zero() => {
                remarks.mistake(key, "no time is too little; leave the key out for the default");
            }
            given => set(setting, given.map(|ReadableDuration(time)| time)),
        }
    }

    /// Tells a driver's own mistakes at the keys that stand for its settings.
    pub(super) fn tell(mistakes: Vec<(&'static str, String)>, keys: &[(&str, &str)], remarks: &mut Remarks<'_>) {
        for (setting, message) in mistakes {
            match keys.iter().find(|(known, _)| *known == setting) {
                Some((_, key)) => remarks.mistake(key, message),
                None => remarks.mistake("", format!("{setting}: {message}")),
            }
        }
    }
}
