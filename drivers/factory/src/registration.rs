//! A driver as the factory knows it: its names, its parameters, what is wrong with them, and how it is opened.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use driver_api::Result;
use serde::de::DeserializeOwned;

use crate::decode::{decode, field_names};
use crate::document::{Node, join};
use crate::finding::{Finding, Findings};
use crate::layers::LayerSettings;
use crate::opened::Opened;

type Prepare = Box<dyn Fn(&Node, &str, &mut Findings) -> Option<Open> + Send + Sync>;
pub(crate) type Open = Box<dyn FnOnce() -> Opening + Send>;
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Opened>> + Send>>;

/// A driver that a configuration can name.
///
/// ```
/// use driver_factory::{Factory, LayerSettings, Registration, Remarks, RetrySettings};
/// #[derive(serde::Deserialize)]
/// struct Parameters { host: Option<String>, socket: Option<String> }
///
/// fn address(parameters: Parameters, remarks: &mut Remarks<'_>) -> Option<String> {
///     match (parameters.host, parameters.socket) {
///         (Some(_), Some(_)) => remarks.mistake("socket", "contradicts `host`"),
///         (None, None) => remarks.mistake("host", "a host or a socket is needed"),
///         (address, None) | (None, address) => return address,
///     }
///     None
/// }
/// # async fn open(address: String) -> driver_api::Result<driver_api::Storage> { unimplemented!() }
///
/// let driver = Registration::validated("mydriver", address, open)
///     .alias("mydriver2")
///     .default_layers([LayerSettings::Retry(RetrySettings::default())]);
/// let factory = Factory::empty().with_registration(driver);
/// ```
pub struct Registration {
    pub(crate) name: &'static str,
    aliases: Vec<&'static str>,
    pub(crate) parameters: Vec<&'static str>,
    pub(crate) layers: Vec<LayerSettings>,
    pub(crate) prepare: Prepare,
}

impl Registration {
    /// A driver whose parameters are right if each of them is right by itself.
    pub fn new<P, O, F, R>(name: &'static str, constructor: F) -> Self
    where
        P: DeserializeOwned + Send + 'static,
        O: Into<Opened>,
        F: Fn(P) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<O>> + Send + 'static,
    {
        Self::validated(name, |parameters, _| Some(parameters), constructor)
    }

    /// A driver whose parameters can contradict each other, or be wrong in ways that serde does not see. `validate` gets them
    /// when each is right by itself, opens nothing, and answers with what `constructor` gets. What it remarks is told with
    /// the other mistakes, at the key's place; it answers with none where it has remarked a mistake.
    pub fn validated<P, V, O, F, R>(
        name: &'static str,
        validate: impl Fn(P, &mut Remarks<'_>) -> Option<V> + Send + Sync + 'static,
        constructor: F,
    ) -> Self
    where
        P: DeserializeOwned + 'static,
        V: Send + 'static,
        O: Into<Opened>,
        F: Fn(V) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<O>> + Send + 'static,
    {
        let prepare = move |node: &Node, path: &str, findings: &mut Findings| {
            let parameters: P = decode(node, path, findings)?;
            let mut remarks = Remarks { node, path, own: findings.same_policy() };
            let valid = validate(parameters, &mut remarks);
            let Remarks { mut own, .. } = remarks;
            if valid.is_none() && !own.has_mistakes() {
                own.mistake(Finding::new(&node.origin, path, "the parameters don't fit together"));
            }
            let valid = valid.filter(|_| !own.has_mistakes());
            findings.append(own);
            let (valid, constructor) = (valid?, constructor.clone());
            Some(Box::new(move || {
                let opening = constructor(valid);
                Box::pin(async move { opening.await.map(Into::into) }) as Opening
            }) as Open)
        };
        let parameters = field_names::<P>();
        Self { name, aliases: Vec::new(), parameters, layers: Vec::new(), prepare: Box::new(prepare) }
    }

    /// The same driver, with one more name.
    #[must_use]
    pub fn alias(mut self, name: &'static str) -> Self {
        self.aliases.push(name);
        self
    }

    /// The same driver, with these layers around it where the configuration lists none.
    #[must_use]
    pub fn default_layers(mut self, layers: impl IntoIterator<Item = LayerSettings>) -> Self {
        self.layers = layers.into_iter().collect();
        self
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("name", &self.name)
            .field("aliases", &self.aliases)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

/// What a driver has to say of its parameters, each with its key: the name of a parameter, with `.` before one inside it, or
/// nothing for all of them. No remark shows the value of a parameter that may hold a secret.
pub struct Remarks<'a> {
    node: &'a Node,
    path: &'a str,
    own: Findings,
}

impl Remarks<'_> {
    /// Something that is wrong at `key`: nothing is opened.
    pub fn mistake(&mut self, key: &str, message: impl Into<String>) {
        self.own.mistake(self.finding(key, message.into()));
    }

    /// Something that is doubtful at `key`.
    pub fn warning(&mut self, key: &str, message: impl Into<String>) {
        self.own.warning(self.finding(key, message.into()));
    }

    /// Whether the configuration has `key`, with any value but nothing.
    pub fn has(&self, key: &str) -> bool {
        let mut node = Some(self.node);
        for name in key.split('.') {
            node = node.and_then(|node| node.field(name)).map(|field| &field.node);
        }
        node.is_some_and(|node| node.value != crate::document::Value::Null)
    }

    /// At the value of the key, or of the nearest key around it that is there.
    fn finding(&self, key: &str, message: String) -> Finding {
        if key.is_empty() {
            return Finding::new(&self.node.origin, self.path, message);
        }
        let mut nearest = self.node;
        for name in key.split('.') {
            match nearest.field(name) {
                Some(field) => nearest = &field.node,
                None => break,
            }
        }
        Finding::new(&nearest.origin, join(self.path, key), message)
    }
}

impl fmt::Debug for Remarks<'_> {
    /// Without the parameters, among which there may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remarks").field("path", &self.path).field("own", &self.own).finish_non_exhaustive()
    }
}
