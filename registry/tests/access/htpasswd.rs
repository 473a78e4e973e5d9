//! Users of a file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobstore::Digest;
use futures_util::future::join_all;
use http::Method;
use registry::access::{AccessControl, AccessError, AccessOptions, HtpasswdOptions};
use tempfile::TempDir;

use crate::secured::{Secured, requests};

const CHALLENGE: &str = r#"Basic realm="here \"and\" there""#;

/// Longer than a change may go unseen.
const A_MOMENT: Duration = Duration::from_millis(1200);

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

pub(crate) fn line(user: &str, password: &str) -> String {
    format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
}

pub(crate) fn options(path: &Path) -> AccessOptions {
    AccessOptions::Htpasswd(HtpasswdOptions { realm: r#"here "and" there"#.into(), path: path.to_owned() })
}

/// A directory with a file in it.
fn file(content: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    std::fs::write(&path, content).unwrap();
    (directory, path)
}

async fn open(content: &str) -> Result<AccessControl, AccessError> {
    let (_directory, path) = file(content);
    AccessControl::open(options(&path)).await
}

#[tokio::test]
async fn whoever_is_no_user_is_refused_everything_in_the_same_way() {
    let (_directory, path) = file(&line("ana", "secret"));
    let secured = Secured::with(options(&path)).await;
    secured.open.push_image("there", "latest", "").await;
    let wrong = [
        String::new(),
        basic("ana", "Secret"),
        basic("ana", ""),
        basic("bob", "secret"),
        basic("", "secret"),
        basic("ana:secret", ""),
        basic("Ana", "secret"),
        basic("ana", "secret\0"),
        "Basic".to_owned(),
        "Basic !".to_owned(),
        "Bearer secret".to_owned(),
    ];
    for authorization in &wrong {
        for path in ["/v2/", "/v2/_catalog", "/v2/BAD/tags/list"] {
            assert_eq!(Secured::refused(secured.get(path, authorization).await), CHALLENGE, "{authorization}");
        }
    }
    for authorization in &wrong[..2] {
        for ((method, there, _), (_, nowhere, _)) in requests("there").into_iter().zip(requests("nowhere")) {
            let there = secured.send(method.clone(), &there, authorization).await;
            let nowhere = secured.send(method, &nowhere, authorization).await;
            assert_eq!((&there.headers, &there.body), (&nowhere.headers, &nowhere.body));
            assert_eq!(Secured::refused(there), CHALLENGE);
        }
    }
}

#[tokio::test]
async fn a_user_may_do_everything() {
    let (_directory, path) = file(&format!("# users\n\n{}{}", line("ana", "secret"), line("bob", "sécret:")));
    let secured = Secured::with(options(&path)).await;
    let (digest, _) = secured.open.push_image("a", "latest", "").await;
    let layer = Digest::of(b"layer");
    let shouted = basic("ana", "secret").replacen("Basic", "BASIC", 1);
    for authorization in [basic("ana", "secret"), basic("bob", "sécret:"), shouted] {
        secured.get("/v2/", &authorization).await.expect(200);
        secured.get("/v2/_catalog", &authorization).await.expect(200);
        secured.get("/v2/a/manifests/latest", &authorization).await.expect(200);
        let mount = format!("/v2/b/blobs/uploads/?mount={layer}&from=a");
        secured.send(Method::POST, &mount, &authorization).await.expect(201);
    }
    let (ana, path) = (basic("ana", "secret"), format!("/v2/a/manifests/{digest}"));
    secured.send(Method::DELETE, &path, &ana).await.expect(202);
}

#[tokio::test]
async fn two_headers_are_none() {
    let (_directory, path) = file(&line("ana", "secret"));
    let secured = Secured::with(options(&path)).await;
    let ana = basic("ana", "secret");
    let headers = [("authorization", &ana[..]), ("authorization", &ana[..])];
    Secured::refused(secured.send_with(Method::GET, "/v2/", &headers).await);
    secured.send_with(Method::GET, "/v2/", &headers[..1]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_is_read_again() {
    let (_directory, path) = file(&line("ana", "secret"));
    let secured = Secured::with(options(&path)).await;
    let (ana, bob) = (basic("ana", "secret"), basic("bob", "other"));
    secured.get("/v2/", &ana).await.expect(200);
    std::fs::write(&path, line("bob", "other")).unwrap();
    tokio::time::sleep(A_MOMENT).await;
    Secured::refused(secured.get("/v2/", &ana).await);
    secured.get("/v2/", &bob).await.expect(200);

    // One that is of no use, or none, changes nothing.
    std::fs::write(&path, "bob:nothing").unwrap();
    tokio::time::sleep(A_MOMENT).await;
    secured.get("/v2/", &bob).await.expect(200);
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(A_MOMENT).await;
    secured.get("/v2/", &bob).await.expect(200);
    Secured::refused(secured.get("/v2/", &ana).await);

    // The same user with another password.
    std::fs::write(&path, line("bob", "third")).unwrap();
    tokio::time::sleep(A_MOMENT).await;
    Secured::refused(secured.get("/v2/", &bob).await);
    secured.get("/v2/", &basic("bob", "third")).await.expect(200);
}

#[tokio::test]
async fn a_password_is_not_hashed_for_every_request() {
    let (_directory, path) = file(&format!("ana:{}\n", bcrypt::hash("secret", 10).unwrap()));
    let secured = Secured::with(options(&path)).await;
    let ana = basic("ana", "secret");
    let begun = Instant::now();
    secured.get("/v2/", &ana).await.expect(200);
    let first = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..20 {
        secured.get("/v2/", &ana).await.expect(200);
    }
    assert!(begun.elapsed() < first * 10, "{:?} after {first:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_together_wait_for_one() {
    let (_directory, path) = file(&format!("ana:{}\n", bcrypt::hash("secret", 10).unwrap()));
    let secured = Secured::with(options(&path)).await;
    let (ana, wrong) = (basic("ana", "secret"), basic("ana", "wrong"));
    let begun = Instant::now();
    Secured::refused(secured.get("/v2/", &wrong).await);
    let one = begun.elapsed();
    let begun = Instant::now();
    for reply in join_all((0..60).map(|_| secured.get("/v2/", &ana))).await {
        reply.expect(200);
    }
    assert!(begun.elapsed() < one * 20, "{:?} after {one:?}", begun.elapsed());
}

/// On a runtime that has one thread, everything else would wait for a hash if it were not made elsewhere.
#[tokio::test]
async fn others_do_not_wait_for_a_hash() {
    let (_directory, path) = file(&format!("ana:{}\n", bcrypt::hash("secret", 11).unwrap()));
    let secured = Secured::with(options(&path)).await;
    let (mut moments, ana) = (0, basic("ana", "secret"));
    let mut request = Box::pin(secured.get("/v2/", &ana));
    let mut clock = tokio::time::interval(Duration::from_millis(2));
    let reply = loop {
        tokio::select! {
            reply = &mut request => break reply,
            _ = clock.tick() => moments += 1,
        }
    };
    reply.expect(200);
    assert!(moments > 5, "{moments}");
}

#[tokio::test]
async fn an_unknown_user_takes_as_long_as_a_known_one() {
    let (_directory, path) = file(&format!("ana:{}\n", bcrypt::hash("secret", 9).unwrap()));
    let secured = Secured::with(options(&path)).await;
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..3 {
        for (fastest, user) in fastest.iter_mut().zip(["ana", "bob"]) {
            let begun = Instant::now();
            Secured::refused(secured.get("/v2/", &basic(user, "wrong")).await);
            *fastest = begun.elapsed().min(*fastest);
        }
    }
    let [known, unknown] = fastest;
    assert!(unknown * 3 > known && known * 3 > unknown, "{known:?} {unknown:?}");
}

#[tokio::test]
async fn a_missing_file_is_made_for_one_user() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("below/users");
    AccessControl::open(options(&path)).await.unwrap();
    let content = std::fs::read_to_string(&path).unwrap();
    assert!(content.starts_with("docker:$2b$10$") && content.lines().count() == 1);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    AccessControl::open(options(&path)).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_without_its_content() {
    let told = |error: AccessError| error.to_string();
    let error = told(open(&format!("{}\nbob:hidden\n", line("ana", "secret"))).await.unwrap_err());
    assert!(error.contains("users:3: the hash is not bcrypt's") && !error.contains("hidden"), "{error}");
    let error = told(open("# nobody\n").await.unwrap_err());
    assert!(error.ends_with("users: the file has no users: add one by `htpasswd -B`"), "{error}");
    let error = told(open(&"#\n".repeat(600_000)).await.unwrap_err());
    assert!(error.ends_with("the file is larger than 1048576 bytes"), "{error}");
    let directory = tempfile::tempdir().unwrap();
    let error = told(AccessControl::open(options(directory.path())).await.unwrap_err());
    assert!(error.ends_with("this is no file"), "{error}");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
    assert!(AccessControl::open(options(&link)).await.is_err());
    let (_directory, path) = file(&line("ana", "secret"));
    let realm = AccessOptions::Htpasswd(HtpasswdOptions { realm: "a\nb".into(), path });
    assert!(told(AccessControl::open(realm).await.unwrap_err()).starts_with("htpasswd.realm: "));
}
