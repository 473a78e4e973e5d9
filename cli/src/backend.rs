//! Which backend: a configuration file, or a driver with parameters on the command line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use blobstore::{Namespace, NamespaceOptions};
use clap::Args;
use driver_api::{Error, Storage};
use driver_factory::{Document, Factory, Finding, MAX_BYTES, Opened, StorageSection};

use crate::exit::{Failure, Result};

/// The arguments that choose a backend; none of them need be there.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Backend")]
pub(crate) struct Selection {
    /// A configuration file, whose section `storage` is used
    #[arg(short, long, value_name = "FILE", conflicts_with = "driver")]
    pub(crate) config: Option<PathBuf>,
    /// A driver by its name
    #[arg(short, long, value_name = "NAME")]
    pub(crate) driver: Option<String>,
    /// A parameter of the driver; the value is YAML. May be repeated
    #[arg(short, value_name = "KEY=VALUE", requires = "driver", value_parser = parse_parameter)]
    pub(crate) options: Vec<(String, String)>,
}

/// The arguments that choose a backend; one of them must be there.
#[derive(Debug, Args)]
pub(crate) struct Backend {
    #[command(flatten)]
    selection: Selection,
}

impl Backend {
    /// Opens the chosen backend.
    pub(crate) async fn open(&self) -> Result<Storage> {
        self.open_with_hooks().await.map(Opened::into_storage)
    }

    /// Opens the chosen backend as what a registry keeps. Who runs the command may delete.
    pub(crate) async fn namespace(&self) -> Result<Namespace> {
        let mut options = NamespaceOptions::default();
        options.delete_enabled = true;
        Ok(Namespace::new(self.open().await?, options))
    }

    /// Opens the chosen backend, with what its driver can do beside the storage.
    pub(crate) async fn open_with_hooks(&self) -> Result<Opened> {
        match self.selection.open_with_hooks().await? {
            Some(opened) => Ok(opened),
            None => Err(Failure::configuration("choose a backend, with --config FILE or --driver NAME")),
        }
    }
}

/// Opens the backend of a configuration file.
pub(crate) async fn open_file(file: &Path) -> Result<Storage> {
    let section = read_section(read_document(file)?)?;
    tell_warnings(&section.warnings);
    Ok(section.backend.open().await?)
}

impl Selection {
    /// Opens the chosen backend; none where none is chosen. Warnings go to standard error.
    pub(crate) async fn open(&self) -> Result<Option<Storage>> {
        Ok(self.open_with_hooks().await?.map(Opened::into_storage))
    }

    /// Opens the chosen backend once more: another driver value, as another process would have it. What there is to warn of
    /// was told the first time.
    pub(crate) async fn open_again(&self) -> Result<Storage, Error> {
        match self.read()? {
            Some(section) => section.backend.open().await,
            None => Err(Failure::configuration("no backend was chosen").into()),
        }
    }

    async fn open_with_hooks(&self) -> Result<Option<Opened>> {
        let Some(section) = self.read()? else { return Ok(None) };
        tell_warnings(&section.warnings);
        Ok(Some(section.backend.open_with_hooks().await?))
    }

    fn read(&self) -> Result<Option<StorageSection>> {
        let document = match (&self.config, &self.driver) {
            (Some(file), _) => read_document(file)?,
            (None, Some(driver)) => {
                let parameters = self.options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                Document::of_driver(driver, parameters)?
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(read_section(document)?))
    }

    /// The arguments as a shell would take them, to be put into a command.
    pub(crate) fn as_arguments(&self) -> String {
        let mut words = Vec::new();
        if let Some(file) = &self.config {
            words.extend(["--config".to_owned(), quoted(&file.to_string_lossy())]);
        }
        if let Some(driver) = &self.driver {
            words.extend(["--driver".to_owned(), quoted(driver)]);
        }
        for (key, value) in &self.options {
            words.extend(["-o".to_owned(), quoted(&format!("{key}={value}"))]);
        }
        words.join(" ")
    }
}

/// Reads a configuration file, no further than one may go.
pub(crate) fn read_document(path: &Path) -> Result<Document> {
    let unreadable = |error| Failure::configuration(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let limit = MAX_BYTES as u64 + 1;
    File::open(path).map_err(unreadable)?.take(limit).read_to_string(&mut text).map_err(unreadable)?;
    Ok(Document::parse(&path.to_string_lossy(), &text)?)
}

/// Reads the storage section of a document, with the overrides of the process's environment.
pub(crate) fn read_section(document: Document) -> Result<StorageSection, driver_factory::ConfigErrors> {
    Factory::builtin().read(document, variables())
}

/// The process's environment. A variable that is not Unicode can name no key and hold no YAML.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

pub(crate) fn tell_warnings(warnings: &[Finding]) {
    for warning in warnings {
        eprintln!("blobstore: warning: {warning}");
    }
}

fn parse_parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_split_at_the_first_sign() {
        assert_eq!(parse_parameter("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(parse_parameter("a").is_err() && parse_parameter("=b").is_err());
    }

    #[test]
    fn the_arguments_can_be_given_to_a_shell_again() {
        let selection = Selection {
            config: None,
            driver: Some("filesystem".to_owned()),
            options: vec![("rootdirectory".to_owned(), "/tmp/it's here".to_owned())],
        };
        assert_eq!(selection.as_arguments(), r"--driver filesystem -o 'rootdirectory=/tmp/it'\''s here'");
    }
}
