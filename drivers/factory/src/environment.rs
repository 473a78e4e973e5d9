//! Environment variables that override the file: `REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/srv/registry`.
//!
//! A variable's name is the path of a key, its value is YAML. Variables are applied in the order of their names, so that
//! `REGISTRY_STORAGE` comes before what goes into it. They do not change what a command line says.

use std::sync::Arc;

use crate::document::{Document, Field, Node, Value, join, parse_yaml};
use crate::finding::{Finding, Origin};

const PREFIX: &str = "REGISTRY_";

/// The names that variables may mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vocabulary<'a> {
    /// The sections of the file.
    pub(crate) sections: &'a [&'a str],
    /// Keys with a `_` in their names, which would else be taken for two.
    pub(crate) underscored: &'a [&'a str],
}

/// Why a variable has no place in the document.
struct NoPlace {
    key: String,
    reason: &'static str,
}

impl Document {
    /// Puts the values of all variables that begin with `REGISTRY_` into the tree.
    pub(crate) fn override_with(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
        vocabulary: Vocabulary<'_>,
    ) {
        let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (name, text) in variables {
            self.apply(&name, &text, vocabulary);
        }
    }

    fn apply(&mut self, name: &str, text: &str, vocabulary: Vocabulary<'_>) {
        let origin = Origin::Variable(Arc::from(name));
        let components: Vec<&str> = name[PREFIX.len()..].split('_').collect();
        let section = components[0].to_lowercase();
        if !vocabulary.sections.contains(&section.as_str()) {
            let message = format!("there is no section `{section}`; the variable is ignored");
            self.findings.warning(Finding::new(&origin, "", message));
            return;
        }
        let value = match parse_yaml(text, &|_| origin.clone(), &mut self.findings) {
            Ok(value) => value,
            Err(mistake) => return self.findings.mistake(mistake),
        };
        let place = Place { path: String::new(), underscored: vocabulary.underscored };
        if let Err(NoPlace { key, reason }) = place.put(&mut self.root, &components, value) {
            let message = format!("{reason}; the variable is ignored");
            self.findings.warning(Finding::new(&origin, key, message));
        }
    }
}

/// The way from the root down to where a value goes.
struct Place<'a> {
    path: String,
    underscored: &'a [&'a str],
}

impl Place<'_> {
    fn put(mut self, node: &mut Node, components: &[&str], value: Node) -> Result<(), NoPlace> {
        if components.is_empty() {
            // What stands in the command line itself is meant more than what stands in the environment.
            if !matches!(node.origin, Origin::Argument(_)) {
                *node = value;
            }
            return Ok(());
        }
        if components.contains(&"") {
            return Err(self.none("the name of the variable has an empty part"));
        }
        self.open(node, &value.origin);
        match &mut node.value {
            Value::Map(fields) => {
                let (name, taken) = self.key(fields, components);
                self.path = join(&self.path, &name);
                let node = entry(fields, name, &value.origin);
                self.put(node, &components[taken..], value)
            }
            Value::List(items) => {
                let Ok(index) = components[0].parse::<usize>() else {
                    return Err(self.none("this is a list, and takes a number"));
                };
                if index > items.len() {
                    return Err(self.none("the list is shorter"));
                }
                if index == items.len() {
                    items.push(Node { value: Value::Null, origin: value.origin.clone() });
                }
                self.path = format!("{}[{index}]", self.path);
                self.put(&mut items[index], &components[1..], value)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
                Err(self.none("this is a single value, and has no keys"))
            }
        }
    }

    /// Makes a map of what is short for one: nothing, or a section's scalar form (`storage: s3`).
    fn open(&self, node: &mut Node, origin: &Origin) {
        let is_section = !self.path.is_empty() && !self.path.contains(['.', '[']);
        match &mut node.value {
            Value::Null => *node = Node { value: Value::Map(Vec::new()), origin: origin.clone() },
            Value::Text(name) if is_section => {
                let null = Node { value: Value::Null, origin: node.origin.clone() };
                let field = Field { name: std::mem::take(name), origin: node.origin.clone(), node: null };
                node.value = Value::Map(vec![field]);
            }
            _ => {}
        }
    }

    /// The key that the next components mean, and how many of them: a key that is there or is known, with `_` in its name if
    /// need be, else a new one of one component.
    fn key(&self, fields: &[Field], components: &[&str]) -> (String, usize) {
        for taken in (1..=components.len()).rev() {
            let name = components[..taken].join("_");
            if let Some(field) = fields.iter().find(|field| field.name.eq_ignore_ascii_case(&name)) {
                return (field.name.clone(), taken);
            }
            if let Some(known) = self.underscored.iter().find(|known| known.eq_ignore_ascii_case(&name)) {
                return ((*known).to_owned(), taken);
            }
        }
        (components[0].to_lowercase(), 1)
    }

    fn none(&self, reason: &'static str) -> NoPlace {
        NoPlace { key: self.path.clone(), reason }
    }
}

/// The node of the entry `name`, which is made if need be.
fn entry<'a>(fields: &'a mut Vec<Field>, name: String, origin: &Origin) -> &'a mut Node {
    let index = fields.iter().position(|field| field.name == name).unwrap_or_else(|| {
        let node = Node { value: Value::Null, origin: origin.clone() };
        fields.push(Field { name, origin: origin.clone(), node });
        fields.len() - 1
    });
    &mut fields[index].node
}
