//! Ways in: credentials, what a check of the connection tells, and what no output shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

#[path = "../../s3/tests/object_store/mod.rs"]
mod object_store;
mod support;

use std::time::{Duration, SystemTime};

use azure_storage::prelude::BlobSasPermissions;
use azure_storage::shared_access_signature::SasToken;
use driver_api::{CommitOptions, Context, ErrorKind, GetOptions, PutOptions, Storage, UrlOptions, WriteOptions};
use driver_azure::{AzureDriver, AzureOptions, Credentials, Secret};

use object_store::log::Log;
use object_store::outputs::{shown, told};
use object_store::path;
use support::Azurite;
use support::proxy::{Fate, Proxy};

fn context() -> Context {
    Context::background()
}

async fn sas(azurite: &Azurite) -> String {
    let (read, list) = (true, true);
    let permissions =
        BlobSasPermissions { read, add: true, create: true, write: true, delete: true, list, ..Default::default() };
    signature(azurite, permissions).await
}

async fn signature(azurite: &Azurite, permissions: BlobSasPermissions) -> String {
    let expiry = SystemTime::now() + Duration::from_secs(600);
    let signature = azurite.bare().shared_access_signature(permissions, expiry.into()).await.unwrap();
    signature.token().unwrap()
}

#[tokio::test]
async fn a_shared_access_signature_is_enough_for_everything_but_urls() {
    let azurite = Azurite::get();
    let mut options = azurite.options();
    options.block_size = 64 * 1024;
    options.credentials = Credentials::Sas(Secret::new(sas(azurite).await));
    let driver = AzureDriver::new(&options).unwrap();
    driver.check_connection(&context()).await.unwrap();
    let storage = Storage::new(driver);
    assert!(!storage.capabilities().signed_urls);
    storage.put(&context(), &path("/a"), "content", PutOptions::default()).await.unwrap();
    storage.move_to(&context(), &path("/a"), &path("/b")).await.unwrap();
    assert_eq!(storage.get(&context(), &path("/b"), GetOptions::default()).await.unwrap().1, "content");
    let mut writer = storage.writer(&context(), &path("/c"), WriteOptions::default()).await.unwrap();
    writer.write(&context(), vec![1; 200 * 1024].into()).await.unwrap();
    assert_eq!(writer.commit(&context(), CommitOptions::default()).await.unwrap().size, 200 * 1024);
    assert_eq!(storage.url_for(&context(), &path("/b"), UrlOptions::default()).await.unwrap(), None);
}

#[tokio::test]
async fn a_connection_string_leads_to_the_same_place() {
    let azurite = Azurite::get();
    let Azurite { endpoint, account, key, container } = azurite;
    let text = format!("AccountName={account};AccountKey={key};BlobEndpoint={endpoint}");
    let mut options = AzureOptions::from_connection_string(&text, container).unwrap();
    options.root = azurite.options().root;
    let driver = AzureDriver::new(&options).unwrap();
    driver.check_connection(&context()).await.unwrap();
    let storage = Storage::new(driver);
    storage.put(&context(), &path("/a"), "content", PutOptions::default()).await.unwrap();
}

#[tokio::test]
async fn a_check_says_what_to_look_at() {
    let azurite = Azurite::get();
    let other_key = "b3RoZXI=";
    type Change = fn(&mut AzureOptions);
    let wrong: [(&str, ErrorKind, Change); 4] = [
        ("no container `missing`", ErrorKind::Misconfigured, |o| o.container = "missing".into()),
        ("the credentials were refused", ErrorKind::PermissionDenied, |o| {
            o.credentials = Credentials::SharedKey(Secret::new("b3RoZXI="));
        }),
        ("does not answer", ErrorKind::Unavailable, |o| o.service_url.as_mut().unwrap().set_port(Some(1)).unwrap()),
        ("does not answer", ErrorKind::Unavailable, |o| {
            o.service_url = "http://nowhere.invalid/".parse().ok();
        }),
    ];
    for (words, kind, change) in wrong {
        let mut options = azurite.options();
        change(&mut options);
        let error = AzureDriver::new(&options).unwrap().check_connection(&context()).await.unwrap_err();
        assert!(error.kind() == kind && error.message().contains(words), "{words}: {error}");
        assert!(!format!("{error} {error:?}").contains(other_key), "{error:?}");
    }
}

#[tokio::test]
async fn a_check_notices_what_may_list_and_not_read() {
    let azurite = Azurite::get();
    let mut options = azurite.options();
    let permissions = BlobSasPermissions { list: true, ..Default::default() };
    options.credentials = Credentials::Sas(Secret::new(signature(azurite, permissions).await));
    let error = AzureDriver::new(&options).unwrap().check_connection(&context()).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::PermissionDenied && error.message().contains("may not list and read"),
        "{error}"
    );
}

#[tokio::test]
async fn a_check_recognizes_what_is_not_the_service() {
    let azurite = Azurite::get();
    let proxy = Proxy::start(&azurite.endpoint).await;
    let mut options = azurite.options();
    options.service_url = Some(proxy.endpoint().clone());
    let driver = AzureDriver::new(&options).unwrap();
    for fate in [Fate::Garbage("<html>It works!</html>"), Fate::Answer(404, ""), Fate::Answer(301, "")] {
        proxy.next([fate.clone()]);
        let error = driver.check_connection(&context()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{fate:?}: {error}");
    }
}

#[tokio::test]
async fn a_check_notices_a_wrong_clock_and_a_hierarchical_namespace() {
    const LONG_AGO: &str = "HTTP/1.1 403 Forbidden\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n\
        x-ms-error-code: AuthenticationFailed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const HIERARCHICAL: &str =
        "HTTP/1.1 200 OK\r\nx-ms-is-hns-enabled: true\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let azurite = Azurite::get();
    let proxy = Proxy::start(&azurite.endpoint).await;
    let mut options = azurite.options();
    options.service_url = Some(proxy.endpoint().clone());
    let driver = AzureDriver::new(&options).unwrap();
    for (fates, kind, words) in [
        (vec![Fate::Told(LONG_AGO)], ErrorKind::PermissionDenied, "clock"),
        (vec![Fate::Pass, Fate::Pass, Fate::Told(HIERARCHICAL)], ErrorKind::Misconfigured, "hierarchical"),
    ] {
        proxy.next(fates);
        let error = driver.check_connection(&context()).await.unwrap_err();
        assert!(error.kind() == kind && error.message().contains(words), "{error}");
    }
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let log = Log::default();
    // Of this thread, on which the whole test runs.
    let _logging = tracing::subscriber::set_default(log.clone());
    let azurite = Azurite::get();
    let token = sas(azurite).await;
    log.take();
    let url = driver_api::Url::parse(&format!("http://host/?{token}")).unwrap();
    let signature = url.query_pairs().find_map(|(key, value)| (key == "sig").then(|| value.into_owned())).unwrap();
    // What is the same in every way to write it.
    let letters = |secret: &str| {
        let runs = secret.split(|letter: char| !letter.is_ascii_alphanumeric());
        runs.max_by_key(|run| run.len()).unwrap().to_owned()
    };
    let proxy = Proxy::start(&azurite.endpoint).await;
    for (credentials, secret) in [
        (Credentials::SharedKey(Secret::new(&*azurite.key)), letters(&azurite.key)),
        (Credentials::Sas(Secret::new(&*token)), letters(&signature)),
    ] {
        let mut options = azurite.options();
        options.service_url = Some(proxy.endpoint().clone());
        options.credentials = credentials;
        // Nothing answers at the port of this one.
        let mut unreachable = options.clone();
        unreachable.service_url.as_mut().unwrap().set_port(Some(1)).unwrap();
        options.answer_timeout = Duration::from_millis(200);
        let (driver, unreachable) = (AzureDriver::new(&options).unwrap(), AzureDriver::new(&unreachable).unwrap());
        let mut outputs = vec![format!("{options:?} {options:#?} {driver:?} {driver:#?}")];
        outputs.extend(shown(&Storage::new(unreachable)).await);
        for fate in [
            Fate::Pass,
            Fate::Answer(403, "AuthenticationFailed"),
            Fate::Answer(500, "InternalError"),
            Fate::Break,
            Fate::Garbage("no"),
            Fate::GarbageHeaders,
            Fate::Told("this is no answer\r\n\r\n"),
            Fate::Hold,
        ] {
            proxy.next(std::iter::repeat_n(fate, 100));
            outputs.extend(driver.check_connection(&context()).await.err().as_ref().map(told));
            outputs.extend(shown(&Storage::new(driver.clone())).await);
        }
        let logged = log.take();
        assert!(logged.contains("path="), "nothing was logged");
        for output in outputs.into_iter().chain([logged]) {
            assert!(!output.contains(&secret), "{output}");
            assert!(!output.contains("SharedKey ") && !output.contains("sig="), "{output}");
        }
    }
}

#[cfg(feature = "entra")]
const TOKEN: &str = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"dG9rZW4"}"#;

/// Tokens are issued by the proxy, which stands before the service as well.
#[cfg(feature = "entra")]
fn by_client_secret(proxy: &Proxy) -> AzureOptions {
    let mut options = Azurite::get().options();
    options.service_url = Some(proxy.endpoint().clone());
    options.credentials = Credentials::ClientSecret {
        tenant: "tenant".into(),
        client: "client".into(),
        secret: Secret::new("c2VjcmV0"),
        authority: proxy.endpoint().clone(),
    };
    options
}

#[cfg(feature = "entra")]
#[tokio::test]
async fn a_client_secret_is_exchanged_for_a_token_once() {
    let proxy = Proxy::start(&Azurite::get().endpoint).await;
    let options = by_client_secret(&proxy);
    let storage = Storage::new(AzureDriver::new(&options).unwrap());
    proxy.next([
        Fate::Answer(401, ""),
        Fate::Garbage(TOKEN),
        Fate::Answer(404, "BlobNotFound"),
        Fate::Answer(404, "BlobNotFound"),
    ]);
    let get = || async { storage.get(&context(), &path("/a"), GetOptions::default()).await.unwrap_err() };
    let refused = get().await;
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
    assert!(!format!("{refused:?} {storage:?}").contains("c2VjcmV0"));
    assert!(get().await.is_not_found() && get().await.is_not_found());
    assert_eq!(proxy.take(), ["POST", "POST", "GET", "GET"]);
}

#[cfg(feature = "entra")]
#[tokio::test]
async fn a_token_service_that_is_down_refuses_nobody() {
    const CUT: Fate = Fate::Told("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{");
    let proxy = Proxy::start(&Azurite::get().endpoint).await;
    let mut options = by_client_secret(&proxy);
    options.answer_timeout = Duration::from_millis(200);
    let driver = AzureDriver::new(&options).unwrap();
    let storage = Storage::new(driver.clone());
    for fate in [
        Fate::Answer(503, ""),
        Fate::Answer(429, ""),
        Fate::Answer(500, ""),
        Fate::Break,
        Fate::Hold,
        CUT,
        Fate::Garbage("<html>a gateway</html>"),
    ] {
        proxy.next([fate.clone()]);
        let checked = driver.check_connection(&context()).await.unwrap_err();
        assert!(checked.kind() == ErrorKind::Unavailable && checked.message().contains("authority"), "{checked}");
        proxy.next([fate.clone()]);
        let error = storage.put(&context(), &path("/a"), "content", PutOptions::default()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Unavailable, driver_api::Retry::Safe),
            "{fate:?}: {error}"
        );
    }
}

#[cfg(feature = "entra")]
#[tokio::test]
async fn who_waits_for_the_token_of_another_does_not_change_why_that_one_failed() {
    let proxy = Proxy::start(&Azurite::get().endpoint).await;
    let storage = Storage::new(AzureDriver::new(&by_client_secret(&proxy)).unwrap());
    proxy.next([Fate::Hold, Fate::Answer(401, "")]);
    let get = || async { storage.get(&context(), &path("/a"), GetOptions::default()).await.unwrap_err().kind() };
    let mut first = std::pin::pin!(get());
    // The second waits behind the first, whose issuer then hangs up.
    tokio::select! {
        _ = &mut first => panic!("the issuer has not answered"),
        () = proxy.held() => {}
    }
    let (first, second) = tokio::join!(first, async {
        let mut second = std::pin::pin!(get());
        assert!(futures_util::poll!(&mut second).is_pending());
        proxy.release();
        second.await
    });
    assert_eq!((first, second), (ErrorKind::Unavailable, ErrorKind::PermissionDenied));
}

#[cfg(feature = "entra")]
#[tokio::test]
async fn a_check_of_refused_credentials_says_so() {
    let proxy = Proxy::start(&Azurite::get().endpoint).await;
    let driver = AzureDriver::new(&by_client_secret(&proxy)).unwrap();
    proxy.next([Fate::Answer(401, "")]);
    let error = driver.check_connection(&context()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::PermissionDenied && error.message().contains("client id"), "{error}");
    assert!(!format!("{error:?}").contains("c2VjcmV0"), "{error:?}");
}

#[tokio::test]
async fn a_signed_url_reads_its_file_until_it_ends_and_does_nothing_else() {
    let azurite = Azurite::get();
    let storage = Storage::new(AzureDriver::new(&azurite.options()).unwrap());
    storage.put(&context(), &path("/a"), "content", PutOptions::default()).await.unwrap();
    let lifetime = Duration::from_secs(600);
    let options = UrlOptions::default().with_lifetime(lifetime);
    let url = storage.url_for(&context(), &path("/a"), options).await.unwrap().unwrap();
    let ends = url.query_pairs().find_map(|(key, value)| (key == "se").then(|| value.into_owned())).unwrap();
    let ends = azure_core::date::parse_rfc3339(&ends).unwrap();
    let left = SystemTime::from(ends).duration_since(SystemTime::now()).unwrap();
    assert!(left.abs_diff(lifetime) < Duration::from_secs(60), "{left:?}");
    let client = reqwest::Client::new();
    let status =
        async |method: reqwest::Method, url: &str| client.request(method, url).send().await.unwrap().status().as_u16();
    let answer = client.get(url.as_str()).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), "content");
    assert_eq!(status(reqwest::Method::HEAD, url.as_str()).await, 200);
    assert_eq!(status(reqwest::Method::DELETE, url.as_str()).await, 403);
    // Neither a later end nor another file is in what was signed.
    let longer = url.as_str().replacen("se=20", "se=21", 1);
    let elsewhere = url.as_str().replacen("/a?", "/b?", 1);
    assert!(longer != url.as_str() && elsewhere != url.as_str());
    assert_eq!(status(reqwest::Method::GET, &longer).await, 403);
    assert_eq!(status(reqwest::Method::GET, &elsewhere).await, 403);
}
