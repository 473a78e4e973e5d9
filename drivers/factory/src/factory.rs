//! From a configuration to a storage: drivers by their names.

use std::fmt;
use std::future::Future;

use driver_api::{Result, Storage};
use serde::de::DeserializeOwned;

use crate::ancestor;
use crate::builtin::KNOWN;
use crate::decode::decode;
use crate::document::{Document, Field, Node, Value};
use crate::environment::Vocabulary;
use crate::finding::{ConfigErrors, Finding, Findings, advice};
use crate::layers::LayerSettings;
use crate::opened::Opened;
use crate::registration::{Open, Registration};
use crate::sections::Sections;
use crate::settings::{self, Settings};

/// Drivers by the names that a configuration calls them.
///
/// ```
/// use driver_factory::{Document, Factory};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let document = Document::parse("registry.yml", "storage: {filesystem: {rootdirectory: /srv/registry}}")?;
/// let section = Factory::builtin().read(document, std::env::vars())?;
/// let storage = section.backend.open().await?;
/// # Ok(())
/// # }
/// ```
///
/// A driver from elsewhere is added by value; its parameters are any type that serde can read:
///
/// ```
/// use driver_factory::{Document, Factory};
/// #[derive(serde::Deserialize)]
/// struct Parameters { endpoint: String }
///
/// let factory = Factory::empty().with("mydriver", async |parameters: Parameters| -> driver_api::Result<_> {
///     # let driver: driver_api::Storage = unimplemented!();
///     # #[cfg(any())]
///     let driver = driver_api::Storage::new(MyDriver::connect(&parameters.endpoint)?);
///     Ok(driver)
/// });
/// let document = Document::parse("registry.yml", "storage: {mydriver: {endpont: x}}").unwrap();
/// assert_eq!(
///     factory.read(document, []).unwrap_err().to_string(),
///     "registry.yml:1:21: storage.mydriver.endpoint: the key is missing\n\
///      registry.yml:1:22: storage.mydriver.endpont: unknown key; did you mean `endpoint`? allowed: endpoint"
/// );
/// ```
pub struct Factory {
    drivers: Vec<Registration>,
}

impl Factory {
    /// No drivers.
    pub fn empty() -> Self {
        Self { drivers: Vec::new() }
    }

    /// The same drivers and one more, which takes the place of one with the same name. `constructor` gets the parameters,
    /// which are right by then; every mistake in them has been told at its key. It answers with a [`Storage`], or with an
    /// [`Opened`] where the driver can do more.
    #[must_use]
    pub fn with<P, O, F, R>(self, name: &'static str, constructor: F) -> Self
    where
        P: DeserializeOwned + Send + 'static,
        O: Into<Opened>,
        F: Fn(P) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<O>> + Send + 'static,
    {
        self.with_registration(Registration::new(name, constructor))
    }

    /// The same drivers and one more, with all that there is to say of it.
    #[must_use]
    pub fn with_registration(mut self, driver: Registration) -> Self {
        self.drivers.retain(|known| known.name != driver.name);
        self.drivers.push(driver);
        self
    }

    /// The names of the drivers, in alphabetical order, without their other names.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.drivers.iter().map(|driver| driver.name).collect();
        names.sort_unstable();
        names
    }

    /// The names of a driver's parameters; none where there is no such driver.
    pub fn parameters(&self, driver: &str) -> Option<&[&'static str]> {
        self.registration(driver).map(|known| known.parameters.as_slice())
    }

    /// The driver with this name, or with this other name.
    fn registration(&self, name: &str) -> Option<&Registration> {
        self.drivers.iter().find(|driver| driver.names().any(|known| known == name))
    }

    /// Reads the storage section of a document, with the environment's overrides, and checks all of it. Nothing is opened.
    ///
    /// `variables` is the environment; what does not begin with `REGISTRY_` is passed over.
    ///
    /// Errors: all mistakes there are.
    pub fn read(
        &self,
        document: Document,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<StorageSection, ConfigErrors> {
        self.read_with(document, variables, |_| ()).map(|(section, ())| section)
    }

    /// The same, with what `others` reads from the sections beside `storage`.
    ///
    /// Errors: all mistakes there are, wherever they stand.
    pub fn read_with<T>(
        &self,
        mut document: Document,
        variables: impl IntoIterator<Item = (String, String)>,
        others: impl FnOnce(&mut Sections<'_>) -> T,
    ) -> Result<(StorageSection, T), ConfigErrors> {
        let names = self.drivers.iter().flat_map(|driver| driver.parameters.iter().copied().chain(driver.names()));
        let underscored: Vec<_> = names.filter(|name| name.contains('_')).collect();
        document.override_with(variables, Vocabulary { sections: ancestor::SECTIONS, underscored: &underscored });
        let mut findings = std::mem::take(&mut document.findings);
        if let Some(strict) = document.root().field("strict")
            && decode::<bool>(&strict.node, "strict", &mut findings) == Some(false)
        {
            findings.tolerate_unknown_keys();
        }
        let others = others(&mut Sections::new(&document, &mut findings));
        let Some(storage) = self.storage_map(&document, &mut findings) else { return Err(findings.into_errors()) };
        let settings = settings::read(&document, &storage, &mut findings);
        let layers = storage.field("layers").filter(|field| field.node.value != Value::Null).map(|field| {
            decode::<Vec<LayerSettings>>(&field.node, "storage.layers", &mut findings).unwrap_or_default()
        });
        let Some((driver, open)) = self.driver(&storage, &mut findings) else { return Err(findings.into_errors()) };
        let warnings = findings.finish()?;
        let layers = layers.unwrap_or_else(|| driver.layers.clone());
        Ok((StorageSection { backend: Backend { name: driver.name, open, layers }, settings, warnings }, others))
    }

    /// The storage section as a map, also where it stands in its scalar form or not at all.
    fn storage_map(&self, document: &Document, findings: &mut Findings) -> Option<Node> {
        let map = |fields, origin| Some(Node { value: Value::Map(fields), origin });
        let Some(section) = document.root().field("storage") else {
            return map(Vec::new(), document.root().origin.clone());
        };
        let origin = section.node.origin.clone();
        match &section.node.value {
            Value::Map(_) => Some(section.node.clone()),
            Value::Text(name) => {
                let node = Node { value: Value::Null, origin: origin.clone() };
                map(vec![Field { name: name.clone(), origin: origin.clone(), node }], origin)
            }
            Value::Null => map(Vec::new(), section.origin.clone()),
            Value::Bool(_) | Value::Number(_) | Value::List(_) => {
                let message = format!("expected a map with a driver, or a driver's name; {}", self.advice(""));
                findings.mistake(Finding::new(&origin, "storage", message));
                None
            }
        }
    }

    /// The one driver of the section. Where there is none, or its parameters are wrong, the findings say so.
    fn driver(&self, storage: &Node, findings: &mut Findings) -> Option<(&Registration, Open)> {
        let mut chosen = Vec::new();
        let mut opened = None;
        let mut unknown = false;
        let reserved = |name: &str| name == "layers" || settings::KEYS.contains(&name);
        for field in storage.fields().iter().filter(|field| !reserved(&field.name)) {
            let path = format!("storage.{}", field.name);
            if let Some(driver) = self.registration(&field.name) {
                chosen.push(field);
                let open = (driver.prepare)(&field.node, &path, findings);
                opened = opened.or(open.map(|open| (driver, open)));
            } else if KNOWN.contains(&field.name.as_str()) {
                chosen.push(field);
                let names = self.names().join(", ");
                let message = format!("the driver `{}` is not built in; built in are {names}", field.name);
                findings.mistake(Finding::new(&field.origin, path, message));
            } else {
                unknown |= findings.unknown_key(&field.origin, path, &self.advice(&field.name));
            }
        }
        match chosen.as_slice() {
            // A key that nobody knows may be the driver's name with a slip in it, and was told.
            [] if unknown => {}
            [] => {
                let message = format!("no driver is configured; choose one: {}", self.names().join(", "));
                findings.mistake(Finding::new(&storage.origin, "storage", message));
            }
            [_] => {}
            [first, others @ ..] => {
                let others: Vec<_> =
                    others.iter().map(|field| format!("`{}` ({})", field.name, field.origin)).collect();
                let message = format!("`{}` is a driver, and so is {}: choose one", first.name, others.join(" and "));
                findings.mistake(Finding::new(&first.origin, "storage", message));
            }
        }
        opened
    }

    fn advice(&self, word: &str) -> String {
        let mut allowed = self.names();
        allowed.extend(settings::KEYS);
        allowed.push("layers");
        advice(word, &allowed)
    }
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Factory").field(&self.names()).finish()
    }
}

/// A storage section that is right.
#[derive(Debug)]
pub struct StorageSection {
    /// The driver and its layers.
    pub backend: Backend,
    /// What a registry does on top.
    pub settings: Settings,
    /// What is doubtful in the configuration, from top to bottom.
    pub warnings: Vec<Finding>,
}

/// A driver with its parameters and its layers, not opened yet.
pub struct Backend {
    name: &'static str,
    open: Open,
    layers: Vec<LayerSettings>,
}

impl Backend {
    /// The driver's name in the configuration.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What will be wrapped around the driver, the innermost first: what the file lists, or the driver's default.
    pub fn layers(&self) -> &[LayerSettings] {
        &self.layers
    }

    /// Makes the driver and wraps it. Errors: what the driver finds wrong with its backend, mostly Misconfigured.
    pub async fn open(self) -> Result<Storage> {
        self.open_with_hooks().await.map(Opened::into_storage)
    }

    /// The same, with what the driver can do beside its storage; that passes the layers by.
    pub async fn open_with_hooks(self) -> Result<Opened> {
        Ok((self.open)().await?.layered(&self.layers))
    }
}

impl fmt::Debug for Backend {
    /// Without the parameters, among which there may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("name", &self.name).field("layers", &self.layers).finish_non_exhaustive()
    }
}
