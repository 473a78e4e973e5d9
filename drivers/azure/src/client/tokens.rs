//! Tokens of Entra ID, with failures that say whether asking again can help.

use std::sync::Arc;

use azure_core::auth::{AccessToken, TokenCredential};
use azure_core::{HttpClient, Request, Response};
use driver_api::{ErrorKind, async_trait};
use parking_lot::Mutex;

use crate::client::Failure;
use crate::client::transport::{Transport, broken};

/// Credentials of the crate, and the requests that they make.
#[derive(Debug)]
pub(super) struct Tokens {
    credential: Arc<dyn TokenCredential>,
    requests: Arc<TokenRequests>,
}

/// The requests for tokens, and how those of the latest attempt went: some credentials fold all that went wrong into one text.
#[derive(Debug)]
pub(super) struct TokenRequests {
    transport: Arc<Transport>,
    attempt: Mutex<Attempt>,
}

/// What is known of an attempt to get a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Attempt {
    /// Whether somebody answered that there is no token for these credentials.
    refused: bool,
    /// What kept another from answering.
    trouble: Option<String>,
}

impl Tokens {
    pub(super) fn new(credential: Arc<dyn TokenCredential>, requests: Arc<TokenRequests>) -> Self {
        Self { credential, requests }
    }
}

#[async_trait]
impl TokenCredential for Tokens {
    async fn get_token(&self, scopes: &[&str]) -> azure_core::Result<AccessToken> {
        *self.requests.attempt.lock() = Attempt::default();
        // What the crate says of a failure is dropped: it can quote what was sent.
        self.credential.get_token(scopes).await.map_err(|_| broken(self.requests.attempt.lock().failure()))
    }

    async fn clear_cache(&self) -> azure_core::Result<()> {
        self.credential.clear_cache().await
    }
}

impl TokenRequests {
    pub(super) fn new(transport: Arc<Transport>) -> Arc<Self> {
        Arc::new(Self { transport, attempt: Mutex::default() })
    }
}

#[async_trait]
impl HttpClient for TokenRequests {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<Response> {
        // This stays where the request is given up, as the one to a machine's metadata service is after a second.
        self.attempt.lock().trouble = Some("no answer came in time".to_owned());
        let answer = self.transport.execute(request).await;
        self.attempt.lock().note(answer.as_ref().err());
        answer.map_err(broken)
    }
}

impl Attempt {
    fn note(&mut self, failure: Option<&Failure>) {
        self.trouble = None;
        match failure {
            None => {}
            Some(Failure::Refused(refusal)) if refusal.kind() != ErrorKind::Unavailable => self.refused = true,
            Some(failure) => self.trouble = Some(failure.to_string()),
        }
    }

    /// A refusal counts before trouble: of several credentials in a chain most lead nowhere on any machine.
    fn failure(&self) -> Failure {
        match &self.trouble {
            Some(why) if !self.refused => {
                Failure::Unsent(format!("the service that issues tokens was not reached: {why}"))
            }
            _ => Failure::NoToken("no token was issued for these credentials".to_owned()),
        }
    }
}
