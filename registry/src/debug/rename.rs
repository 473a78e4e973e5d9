//! The names that dashboards for the ancestor know, for what other crates of the workspace count by names of their own.

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit};

/// What the layer `metrics` of a storage calls the time of its calls, and what the ancestor calls it.
const CALLS: &str = "storage_call_seconds";
const ACTIONS: &str = "registry_storage_action_seconds";

/// A recorder that hears other names.
#[derive(Debug)]
pub(super) struct Renamed<R>(pub(super) R);

impl<R: Recorder> Recorder for Renamed<R> {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_histogram(key, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.0.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.0.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        if key.name() == CALLS {
            let labels: Vec<_> = key.labels().map(renamed).collect();
            self.0.register_histogram(&Key::from_parts(ACTIONS, labels), metadata)
        } else {
            self.0.register_histogram(key, metadata)
        }
    }
}

fn renamed(label: &Label) -> Label {
    match label.key() {
        "operation" => Label::new("action", action(label.value())),
        _ => label.clone(),
    }
}

/// What the ancestor calls an operation; those that it does not have keep their names.
fn action(operation: &str) -> String {
    let known = match operation {
        "get" => "GetContent",
        "put" => "PutContent",
        "reader" => "Reader",
        "writer" => "Writer",
        "stat" => "Stat",
        "list" => "List",
        "move" => "Move",
        "delete" => "Delete",
        "url_for" => "RedirectURL",
        other => other,
    };
    known.to_owned()
}
