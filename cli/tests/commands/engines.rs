//! The commands on servers that other people wrote, by the configuration files that `ci/services` makes.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Ended, blobstore};

/// The configuration file of an engine that runs.
pub(crate) fn configuration(engine: &str) -> String {
    engines::Engine::start(engine);
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/services/").to_owned() + engine + ".yml"
}

fn run_with(file: &str, arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = blobstore();
    command.args(arguments).args(["--config", file]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Ended(child.wait_with_output().unwrap())
}

fn an_operator_works_on(engine: &str) {
    let file = configuration(engine);
    let run = |arguments: &[&str]| run_with(&file, arguments, b"");
    let checked = Ended(blobstore().args(["config", "check", "--connect", &file]).output().unwrap());
    assert_eq!(checked.code(), 0, "{}", checked.stderr());

    let own = format!("/cli-{:032x}", fastrand::u128(..));
    let (one, two) = (format!("{own}/one"), format!("{own}/two"));
    run_with(&file, &["put", "-", &one], b"content").done();
    assert_eq!(run(&["cat", &one]).done(), "content");
    run(&["mv", &one, &two]).done();
    assert_eq!(run(&["ls", &own]).done(), format!("{two}\n"));
    assert_eq!(run(&["stat", &one]).failed(3).lines().count(), 1);
    run(&["rm", "-r", &own]).done();
    assert_eq!(run(&["ls", &own]).failed(3).lines().count(), 1);

    let (repository, directory) = (&own[1..], tempfile::tempdir().unwrap());
    let local = directory.path().join("file");
    std::fs::write(&local, "{}").unwrap();
    let config = run(&["blob", "put", repository, local.to_str().unwrap()]).done();
    let config = config.trim();
    let manifest = format!(r#"{{"schemaVersion": 2, "config": {{"digest": "{config}", "size": 2}}, "layers": []}}"#);
    std::fs::write(&local, &manifest).unwrap();
    run(&["manifest", "put", repository, local.to_str().unwrap(), "--tag", "latest"]).done();
    assert_eq!(run(&["manifest", "get", repository, "latest"]).done(), manifest);
    assert_eq!(run(&["blob", "cat", repository, config]).done(), "{}");
    assert!(run(&["repo", "ls"]).done().lines().any(|name| name == repository));
    run(&["repo", "rm", repository]).done();
    run(&["repo", "tags", repository]).failed(3);
}

/// What `config check --connect` says where the values of these keys are others, each in turn.
fn mistakes_are_told_of(engine: &str, mistakes: &[(&str, &str, &str)]) {
    let text = std::fs::read_to_string(configuration(engine)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("storage.yml");
    for (key, value, words) in mistakes {
        let changed: Vec<_> = text
            .lines()
            .map(|line| match line.split_once(": ") {
                Some((name, _)) if name.trim() == *key => format!("{name}: {value}"),
                _ => line.to_owned(),
            })
            .collect();
        std::fs::write(&file, changed.join("\n")).unwrap();
        let checked =
            Ended(blobstore().args(["config", "check", "--connect", file.to_str().unwrap()]).output().unwrap());
        assert!(checked.code() != 0 && checked.stderr().contains(words), "{key}: {}", checked.stderr());
    }
}

#[cfg(feature = "s3")]
#[test]
fn mistakes_are_told_of_garage() {
    mistakes_are_told_of(
        "garage",
        &[
            ("regionendpoint", "http://127.0.0.1:1", "can't be reached"),
            ("region", "elsewhere", "is in another region"),
            ("bucket", "missing", "has no bucket"),
            ("accesskey", "GK0123456789abcdef01234567", "a key or a secret that they do not know"),
            ("secretkey", "d3Jvbmc", "a key or a secret that they do not know"),
        ],
    );
}

#[cfg(feature = "azure")]
#[test]
fn mistakes_are_told_of_azurite() {
    mistakes_are_told_of(
        "azurite",
        &[
            ("serviceurl", "http://127.0.0.1:1/devstoreaccount1", "does not answer"),
            ("container", "missing", "has no container"),
            ("accountkey", "d3Jvbmc=", "the credentials were refused"),
        ],
    );
}

#[cfg(feature = "s3")]
#[test]
fn an_operator_works_on_garage() {
    an_operator_works_on("garage");
}

#[cfg(feature = "azure")]
#[test]
fn an_operator_works_on_azurite() {
    an_operator_works_on("azurite");
}
