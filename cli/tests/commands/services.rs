//! The commands on S3, against a server in this process, and what `config check --connect` says of each mistake.

use std::io::Write;
use std::net::TcpListener;
use std::process::Stdio;

use s3_server::{ACCESS_KEY, Fault, Injection, S3Server, SECRET_KEY};
use tempfile::{NamedTempFile, TempDir};
use tokio::runtime::Runtime;

use crate::support::{Ended, blobstore, run};

/// A running server with a bucket, and a configuration file that leads to it.
struct Service {
    server: S3Server,
    directory: TempDir,
    runtime: Runtime,
}

impl Service {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(S3Server::start()).unwrap();
        server.create_bucket("registry");
        Self { server, directory: tempfile::tempdir().unwrap(), runtime }
    }

    /// A file with these parameters in place of the right ones.
    fn configuration(&self, other: &[(&str, &str)]) -> String {
        let endpoint = self.server.endpoint();
        let mut keys = vec![
            ("bucket", "registry"),
            ("region", "us-east-1"),
            ("regionendpoint", &endpoint),
            ("forcepathstyle", "true"),
            ("conditionalwrites", "true"),
            ("rootdirectory", "/some/prefix"),
            ("accesskey", ACCESS_KEY),
            ("secretkey", SECRET_KEY),
        ];
        for (key, value) in other {
            keys.retain(|(known, _)| known != key);
            keys.push((key, value));
        }
        let lines: String = keys.iter().map(|(key, value)| format!("    {key}: {value}\n")).collect();
        let path = self.directory.path().join("storage.yml");
        std::fs::write(&path, format!("storage:\n  s3:\n{lines}")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut command = blobstore();
        command.args(arguments).args(["--config", &self.configuration(&[])]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended(child.wait_with_output().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, b"")
    }

    fn check(&self, other: &[(&str, &str)]) -> Ended {
        run(["config", "check", "--connect", &self.configuration(other)])
    }

    /// What `config check --connect` says where the file is right and the backend can't be used.
    #[track_caller]
    fn refused(&self, other: &[(&str, &str)], code: i32) -> String {
        let ended = self.check(other);
        assert_eq!(ended.code(), code, "{}", ended.stderr());
        assert!(ended.stdout().ends_with("right; the driver is s3\n"), "{}", ended.stdout());
        let told = ended.stderr();
        assert!(!told.contains(SECRET_KEY) && told.lines().count() == 1, "{told}");
        told
    }
}

#[test]
fn files_go_to_s3_and_come_back() {
    let service = Service::new();
    service.run_with(&["put", "-", "/images/one"], b"content").done();
    assert_eq!(service.server.keys("registry"), ["some/prefix/images/one"]);
    assert_eq!(service.run(&["cat", "/images/one"]).done(), "content");
    assert_eq!(service.run(&["ls", "/"]).done(), "/images/\n");
    assert!(service.run(&["stat", "/images/one"]).done().contains("size      7\n"));
    let again = service.run_with(&["put", "-", "/images/one", "--if-absent"], b"newer").failed(4);
    assert!(again.contains("already_exists"), "{again}");
    service.run(&["mv", "/images/one", "/images/two"]).done();
    assert_eq!(service.run(&["ls", "-r"]).done(), "/images/two\n");
    assert_eq!(service.run(&["cat", "/images/one"]).failed(3).lines().count(), 1);
    service.run(&["rm", "/images/two"]).done();
    assert_eq!(service.run(&["ls", "-r"]).done(), "");
}

#[test]
fn a_file_of_many_parts_goes_to_s3_and_comes_back() {
    let service = Service::new();
    let local = NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..20_000_000u32).map(|byte| (byte % 251) as u8).collect();
    std::fs::write(&local, &content).unwrap();
    service.run(&["put", local.path().to_str().unwrap(), "/large"]).done();
    assert!(service.run(&["cat", "/large"]).0.stdout == content);
    service.run(&["mv", "/large", "/moved"]).done();
    assert!(service.run(&["stat", "/moved"]).done().contains("size      20000000\n"));
}

#[test]
fn a_url_is_signed_for_whoever_has_it() {
    let service = Service::new();
    service.run_with(&["put", "-", "/x"], b"content").done();
    let url = service.run(&["url", "/x", "--lifetime", "1h"]).done();
    let (endpoint, path) = (service.server.endpoint(), "/registry/some/prefix/x?");
    assert!(url.starts_with(&format!("{endpoint}{path}")) && url.contains("X-Amz-Signature="), "{url}");
    assert!(url.contains("X-Amz-Expires=3600") && !url.contains(SECRET_KEY), "{url}");
}

#[test]
fn parameters_on_the_command_line_choose_s3() {
    let service = Service::new();
    service.run_with(&["put", "-", "/x"], b"content").done();
    let endpoint = format!("regionendpoint={}", service.server.endpoint());
    let (access, secret) = (format!("accesskey={ACCESS_KEY}"), format!("secretkey={SECRET_KEY}"));
    let keys = ["bucket=registry", &endpoint, "forcepathstyle=true", &access, &secret];
    let chosen = ["--driver", "s3"].into_iter().chain(keys.into_iter().flat_map(|key| ["-o", key]));
    let listed = run(["ls", "-r"].into_iter().chain(chosen)).done();
    assert_eq!(listed, "/some/prefix/x\n");
}

#[test]
fn the_suite_and_the_benchmark_run_on_s3() {
    let service = Service::new();
    let suite = service.run(&["conformance", "--only", "PUT-1", "DEL-1", "--profile", "quick"]);
    assert_eq!(suite.code(), 0, "{}", suite.stdout());
    let measured = service.run(&["bench", "--time=50ms", "--count=5", "--large=64KiB", "--jobs=1"]);
    assert_eq!(measured.code(), 0, "{}", measured.stderr());
    assert_eq!(service.run(&["ls", "-r"]).done(), "");
}

#[test]
fn what_fails_for_now_is_repeated() {
    let service = Service::new();
    service.run_with(&["put", "-", "/x"], b"content").done();
    service.server.inject(Injection::new(Fault::Refuse { status: 503, code: "SlowDown" }).once());
    assert_eq!(service.run(&["cat", "/x"]).done(), "content");
}

#[test]
fn check_connects_only_where_told_to() {
    let service = Service::new();
    let right = service.configuration(&[]);
    assert_eq!(run(["config", "check", &right]).done(), format!("{right}: right; the driver is s3\n"));
    assert_eq!(service.server.requests().total(), 0);
    let expected = format!("{right}: right; the driver is s3\n{right}: the backend answers\n");
    assert_eq!(service.check(&[]).done(), expected);
    assert_eq!(service.server.requests().total(), 1);
}

#[test]
fn each_mistake_of_a_connection_is_told_by_what_to_change() {
    let service = Service::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = service.refused(&[("regionendpoint", &format!("http://{closed}"))], 5);
    assert!(told.contains("can't be reached: look at the endpoint"), "{told}");
    let told = service.refused(&[("regionendpoint", "http://no-such-host.invalid")], 5);
    assert!(told.contains("no-such-host.invalid can't be reached"), "{told}");
    let told = service.refused(&[("secretkey", "another")], 1);
    assert!(told.contains("look at the credentials"), "{told}");
    let told = service.refused(&[("accesskey", "ANOTHER")], 1);
    assert!(told.contains("look at the credentials"), "{told}");
    let told = service.refused(&[("bucket", "missing")], 2);
    assert!(told.contains("has no bucket \"missing\": make it"), "{told}");
    let told = service.refused(&[("region", "eu-central-1")], 2);
    assert!(told.contains("in another region than \"eu-central-1\""), "{told}");
}

#[test]
fn refusals_of_the_service_are_told_by_what_to_change() {
    let service = Service::new();
    for (status, code, message) in [
        (403, "RequestTimeTooSkewed", "set the clock"),
        (403, "AccessDenied", "it needs s3:ListBucket"),
        (400, "ExpiredToken", "the credentials have expired"),
        (503, "SlowDown", "refused to list the bucket"),
    ] {
        service.server.clear_injections();
        service.server.inject(Injection::new(Fault::Refuse { status, code }));
        let ended = service.check(&[]);
        assert!(ended.code() != 0 && ended.stderr().contains(message), "{code}: {}", ended.stderr());
    }
    service.server.clear_injections();
    service.server.inject(Injection::new(Fault::Garbage));
    let ended = service.check(&[]);
    assert!(ended.code() != 0 && ended.stderr().contains("does not answer as an S3 service"), "{}", ended.stderr());
}

#[test]
fn azure_that_does_not_answer_is_told() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("storage.yml");
    let text = format!(
        "storage:\n  azure: {{accountname: account, accountkey: a2V5, container: registry, \
         serviceurl: 'http://{closed}/account'}}\n"
    );
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(run(["config", "check", path]).done(), format!("{path}: right; the driver is azure\n"));
    let ended = run(["config", "check", path, "--connect"]);
    assert_eq!(ended.code(), 5, "{}", ended.stderr());
    assert!(ended.stderr().contains("does not answer: look at the account name"), "{}", ended.stderr());
}

#[test]
fn a_sweep_of_s3_aborts_uploads_that_nobody_will_end() {
    let service = Service::new();
    let begin = |path: &str| {
        let local = NamedTempFile::new().unwrap();
        local.as_file().set_len(20_000_000).unwrap();
        // The upload is begun, its parts are refused, and so is its abort: it stays, as after a crash.
        let refuse = |operation| Injection::new(Fault::Refuse { status: 403, code: "AccessDenied" }).on(operation);
        service.server.inject(refuse(s3_server::Operation::UploadPart));
        service.server.inject(refuse(s3_server::Operation::AbortMultipartUpload));
        assert_eq!(service.run(&["put", local.path().to_str().unwrap(), path]).code(), 1);
        service.server.clear_injections();
    };
    begin("/one");
    begin("/b/two");
    assert_eq!(service.server.uploads("registry").len(), 2);

    assert_eq!(service.run(&["sweep"]).done(), "", "they are not old enough");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let found = service.run(&["sweep", "--older-than", "1s", "--dry-run"]).done();
    let paths: Vec<_> = found.lines().map(|line| line.split_whitespace().nth(5).unwrap()).collect();
    assert_eq!(paths, ["/b/two,", "/one,"], "{found}");
    assert_eq!(service.server.uploads("registry").len(), 2);

    service.server.inject(
        Injection::new(Fault::Refuse { status: 403, code: "AccessDenied" })
            .on(s3_server::Operation::AbortMultipartUpload)
            .once(),
    );
    let partly = service.run(&["sweep", "--older-than", "1s"]);
    assert_eq!((partly.code(), partly.stdout().lines().count()), (1, 1), "{}", partly.stderr());
    assert!(partly.stdout().starts_with("removed the upload ") && partly.stderr().contains("/b/two"));
    assert_eq!(service.run(&["sweep", "--older-than", "1s"]).done().lines().count(), 1);
    assert_eq!(service.server.uploads("registry"), []);
    assert_eq!(service.run(&["sweep", "--older-than", "1s"]).done(), "");
    drop(service.runtime);
}
