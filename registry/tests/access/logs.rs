//! What must not be in a log.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use http::Method;
use registry::access::AccessControl;
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use crate::htpasswd::{basic, line, options};
use crate::issuer::{Issuer, access, bearer};
use crate::secured::Secured;

/// All that is logged while the tests of this program run, of whatever level and thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn of_the_program() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            log
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test]
async fn neither_passwords_nor_hashes_are_logged() {
    let log = Log::of_the_program();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    let (right, wrong, other) = ("right-Pa55word", "wrong-Pa55word", "pa55word-as-a-name");
    let content = line("ana", right);
    std::fs::write(&path, &content).unwrap();
    let secured = Secured::with(options(&path)).await;
    secured.get("/v2/", &basic("ana", right)).await.expect(200);
    Secured::refused(secured.get("/v2/_catalog?from-ana", &basic("ana", wrong)).await);
    Secured::refused(secured.send(Method::POST, "/v2/a/blobs/uploads/", &basic(other, wrong)).await);
    std::fs::write(&path, format!("{content}bob:{other}")).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    secured.get("/v2/", &basic("ana", right)).await.expect(200);
    let hash = content.trim().split_once(':').unwrap().1;
    let debug = format!("{:?}", AccessControl::open(options(&path)).await.map_err(|error| error.to_string()));
    std::fs::write(&path, &content).unwrap();
    let debug = format!("{debug}{:?}", AccessControl::open(options(&path)).await.unwrap());
    let text = log.text();
    assert!(text.contains("a name or a password was wrong") && text.contains("its last users stay"), "{text}");
    for secret in [right, wrong, other, hash, &basic("ana", right)[6..], &basic("ana", wrong)[6..]] {
        assert!(!text.contains(secret) && !debug.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_password_of_a_user_that_was_made_is_told_once() {
    let log = Log::of_the_program();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made-here");
    let secured = Secured::with(options(&path)).await;
    let text = log.text();
    let mut lines = text.lines().filter(|line| line.contains("made-here"));
    let told = lines.next().unwrap();
    assert!(lines.next().is_none() && told.contains("WARN") && told.contains(r#"user="docker""#), "{told}");
    let password = told.split_once("password=\"").unwrap().1.split('"').next().unwrap();
    assert_eq!(password.len(), 32);
    secured.get("/v2/", &basic("docker", password)).await.expect(200);
    Secured::with(options(&path)).await.get("/v2/", &basic("docker", password)).await.expect(200);
    assert_eq!(log.text().matches(password).count(), 1);
}

#[tokio::test]
async fn no_token_is_logged() {
    let log = Log::of_the_program();
    let issuer = Issuer::new();
    let secured = Secured::with(issuer.options()).await;
    let good = bearer(&issuer.token(&access("a", &["pull"])));
    let bad = bearer(&issuer.signed(&json!({ "exp": "never" })));
    secured.get("/v2/", &good).await.expect(200);
    Secured::refused(secured.get("/v2/b/tags/list", &good).await);
    Secured::refused(secured.get("/v2/", &bad).await);
    let text = log.text();
    assert!(text.contains("a token was refused"), "{text}");
    let debug = format!("{:?}", AccessControl::open(issuer.options()).await.unwrap());
    for token in [&good, &bad] {
        for part in token[7..].split('.') {
            assert!(!text.contains(part) && !debug.contains(part), "{part}");
        }
    }
}
