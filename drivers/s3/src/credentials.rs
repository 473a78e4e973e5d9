//! Who signs: the key of the settings, or whoever the machine's surroundings say, remembered until shortly before it expires.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_sdk_s3::config::{Credentials as Key, ProvideCredentials, Region, SharedCredentialsProvider, SharedHttpClient};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::options::Credentials;

/// How long before credentials expire new ones are asked for, so that none expires on its way.
const BEFORE_EXPIRY: Duration = Duration::from_secs(10);

/// How long credentials are good that do not tell it: a program that prints them may print others tomorrow.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How long to look for credentials: less than the 10 s after which Amazon's client gives up, and does not tell that it sent nothing.
const LONGEST_SEARCH: Duration = Duration::from_secs(8);

/// The credentials that the settings name. Nothing is looked for before the first request; `http` is what asks the machine's
/// metadata service.
pub(crate) fn provider(credentials: &Credentials, region: &str, http: &SharedHttpClient) -> SharedCredentialsProvider {
    match credentials {
        Credentials::Key { access_key, secret_key, session_token } => {
            let token = session_token.as_ref().map(|token| token.reveal().to_owned());
            SharedCredentialsProvider::new(Key::new(access_key, secret_key.reveal(), token, None, "configuration"))
        }
        Credentials::Environment => {
            SharedCredentialsProvider::new(Remembered::new(Chain::new(region.to_owned(), http.clone())))
        }
    }
}

/// The chain of places where credentials can be, put together at its first use: making it may ask the machine's metadata
/// service.
#[derive(Debug)]
struct Chain {
    region: String,
    http: SharedHttpClient,
    chain: OnceCell<DefaultCredentialsChain>,
}

impl Chain {
    fn new(region: String, http: SharedHttpClient) -> Self {
        Self { region, http, chain: OnceCell::new() }
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let chain = self.chain.get_or_init(|| async {
                let region = Region::new(self.region.clone());
                let config = ProviderConfig::default().with_http_client(self.http.clone());
                DefaultCredentialsChain::builder().configure(config).region(region).build().await
            });
            chain.await.provide_credentials().await
        })
    }
}

/// What a provider gave, for as long as it is good. However many want it at once, the provider is asked by one of them at a time.
#[derive(Debug)]
struct Remembered<P> {
    provider: P,
    /// Exchanged for an empty cell when what is in it expires.
    current: Mutex<Arc<OnceCell<Key>>>,
}

impl<P: ProvideCredentials> Remembered<P> {
    fn new(provider: P) -> Self {
        Self { provider, current: Mutex::default() }
    }

    /// The cell to take credentials from: the present one, or an empty one in its place.
    fn cell(&self) -> Arc<OnceCell<Key>> {
        let mut current = self.current.lock();
        if current.get().is_some_and(is_expiring) {
            *current = Arc::default();
        }
        current.clone()
    }
}

fn is_expiring(key: &Key) -> bool {
    key.expiry().is_some_and(|expiry| expiry <= SystemTime::now() + BEFORE_EXPIRY)
}

impl<P: ProvideCredentials> ProvideCredentials for Remembered<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let cell = self.cell();
        match cell.get() {
            Some(key) => future::ProvideCredentials::ready(Ok(key.clone())),
            None => future::ProvideCredentials::new(async move {
                let finding = cell.get_or_try_init(|| async {
                    let mut key = self.provider.provide_credentials().await?;
                    key.expiry_mut().get_or_insert_with(|| SystemTime::now() + LIFETIME);
                    Ok(key)
                });
                match tokio::time::timeout(LONGEST_SEARCH, finding).await {
                    Ok(found) => found.cloned(),
                    Err(_) => Err(CredentialsError::provider_timed_out(LONGEST_SEARCH)),
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Gives credentials that live so long, and fails once at first.
    #[derive(Debug)]
    struct Counting {
        asked: AtomicU32,
        lifetime: Option<Duration>,
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async move {
                tokio::task::yield_now().await;
                let number = self.asked.fetch_add(1, Ordering::SeqCst);
                if number == 0 {
                    return Err(CredentialsError::not_loaded("not yet"));
                }
                let expiry = self.lifetime.map(|lifetime| SystemTime::now() + lifetime);
                Ok(Key::new(format!("key{number}"), "secret", None, expiry, "test"))
            })
        }
    }

    /// Who signs, asked so often by three at once.
    async fn asked(lifetime: Option<Duration>, times: usize) -> (Vec<String>, u32) {
        let remembered = Remembered::new(Counting { asked: AtomicU32::new(0), lifetime });
        assert!(remembered.provide_credentials().await.is_err(), "a failure is not remembered, but told");
        let mut keys = Vec::new();
        for _ in 0..times {
            let three = futures_util::future::join_all((0..3).map(|_| remembered.provide_credentials())).await;
            keys.extend(three.into_iter().map(|key| key.unwrap().access_key_id().to_owned()));
        }
        (keys, remembered.provider.asked.into_inner())
    }

    #[tokio::test]
    async fn credentials_are_asked_for_once_and_again_before_they_expire() {
        assert_eq!(asked(None, 3).await, (vec!["key1".to_owned(); 9], 2));
        assert_eq!(asked(Some(Duration::from_secs(3600)), 3).await, (vec!["key1".to_owned(); 9], 2));
        let (keys, asked) = asked(Some(Duration::from_secs(5)), 3).await;
        assert_eq!((keys.first(), keys.last(), asked), (Some(&"key1".to_owned()), Some(&"key3".to_owned()), 4));
    }

    #[tokio::test]
    async fn credentials_that_tell_no_end_have_one() {
        let remembered = Remembered::new(Counting { asked: AtomicU32::new(1), lifetime: None });
        let expiry = remembered.provide_credentials().await.unwrap().expiry().unwrap();
        assert!(expiry <= SystemTime::now() + LIFETIME);
    }

    #[derive(Debug)]
    struct Silent;

    impl ProvideCredentials for Silent {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_for_credentials() {
        let (begun, remembered) = (tokio::time::Instant::now(), Remembered::new(Silent));
        let three = futures_util::future::join_all((0..3).map(|_| remembered.provide_credentials())).await;
        assert!(three.iter().all(|key| matches!(key, Err(CredentialsError::ProviderTimedOut(_)))));
        assert_eq!(begun.elapsed(), LONGEST_SEARCH);
    }
}
