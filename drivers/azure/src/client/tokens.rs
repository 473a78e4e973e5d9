//! Tokens of Entra ID, with failures that say whether asking again can help.

use std::sync::Arc;
use std::time::Duration;

use azure_core::auth::{AccessToken, TokenCredential};
use azure_core::{HttpClient, Request, Response};
use driver_api::{ErrorKind, async_trait};
use parking_lot::Mutex;

use crate::client::Failure;
use crate::client::transport::{Transport, broken};
use crate::client::whole::in_memory;

/// Where a machine in Azure asks for its own identity. On any other nobody answers there.
const MACHINE: &str = "169.254.169.254";
/// The longest answer that is read. A token has some thousand bytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

tokio::task_local! {
    /// What has been learned while the token of this task is asked for: some credentials fold all that went wrong into one text.
    static ATTEMPT: Mutex<Attempt>;
}

/// Credentials of the crate, with a limit on how long they may take.
#[derive(Debug)]
pub(super) struct Tokens<C> {
    credential: C,
    patience: Duration,
}

/// The requests for tokens.
#[derive(Debug)]
pub(super) struct TokenRequests(Arc<Transport>);

/// What is known of an attempt to get a token.
#[derive(Debug, Default)]
struct Attempt {
    /// Who was asked last, and has not answered.
    asked: Option<Issuer>,
    /// Whether somebody answered that there is no token for these credentials.
    refused: bool,
    /// What kept an issuer from answering.
    trouble: Option<String>,
    /// What kept the machine from answering.
    silence: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Issuer {
    Machine,
    Other,
}

impl<C: TokenCredential> Tokens<C> {
    pub(super) fn new(credential: C, transport: &Transport) -> Self {
        // A chain asks several, one after the other.
        Self { credential, patience: transport.answer_timeout() * 2 }
    }

    /// What the crate says of a failure is dropped: it can quote what was sent.
    async fn ask(&self, scopes: &[&str]) -> Result<AccessToken, Failure> {
        // Whoever else wants a token waits for this one; and one of the credentials is a program, which has no limit of its own.
        let asked = tokio::time::timeout(self.patience, self.credential.get_token(scopes)).await;
        match asked {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(_)) => Err(ATTEMPT.with(|attempt| attempt.lock().failure())),
            Err(_) => Err(not_reached(&format!("no token came within {:?}", self.patience))),
        }
    }
}

#[async_trait]
impl<C: TokenCredential> TokenCredential for Tokens<C> {
    async fn get_token(&self, scopes: &[&str]) -> azure_core::Result<AccessToken> {
        ATTEMPT.scope(Mutex::default(), self.ask(scopes)).await.map_err(broken)
    }

    async fn clear_cache(&self) -> azure_core::Result<()> {
        self.credential.clear_cache().await
    }
}

impl TokenRequests {
    pub(super) fn new(transport: Arc<Transport>) -> Arc<Self> {
        Arc::new(Self(transport))
    }
}

#[async_trait]
impl HttpClient for TokenRequests {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<Response> {
        let issuer = if request.url().host_str() == Some(MACHINE) { Issuer::Machine } else { Issuer::Other };
        note(|attempt| attempt.ask(issuer));
        // Whole, so that one that breaks off is known from one that is no token.
        let answer = match self.0.execute(request).await {
            Ok(answer) => in_memory(answer, LONGEST_ANSWER).await,
            Err(failure) => Err(failure),
        };
        note(|attempt| attempt.note(issuer, answer.as_ref().err()));
        answer.map_err(broken)
    }
}

/// Nobody learns from a request that was made outside of an attempt.
fn note(what: impl FnOnce(&mut Attempt)) {
    let _ = ATTEMPT.try_with(|attempt| what(&mut attempt.lock()));
}

impl Attempt {
    fn ask(&mut self, issuer: Issuer) {
        self.give_up();
        self.asked = Some(issuer);
    }

    /// What was asked and not answered was given up, as the machine is after a second.
    fn give_up(&mut self) {
        if let Some(issuer) = self.asked.take() {
            self.keep(issuer, "no answer came in time".to_owned());
        }
    }

    fn keep(&mut self, issuer: Issuer, what: String) {
        match issuer {
            Issuer::Machine => self.silence = Some(what),
            Issuer::Other => self.trouble = Some(what),
        }
    }

    fn note(&mut self, issuer: Issuer, failure: Option<&Failure>) {
        self.asked = None;
        match failure {
            // Of a token nobody asks later.
            None => self.trouble = Some("what was answered is no token".to_owned()),
            Some(Failure::Refused(refusal)) if refusal.kind() != ErrorKind::Unavailable => self.refused = true,
            Some(failure @ Failure::Refused(_)) => self.trouble = Some(failure.to_string()),
            Some(failure) => self.keep(issuer, failure.to_string()),
        }
    }

    /// An issuer in trouble may have a token the next time, whatever others said. That the machine is silent says nothing where
    /// somebody else has refused: most machines have no identity.
    fn failure(&mut self) -> Failure {
        self.give_up();
        match (&self.trouble, &self.silence) {
            (Some(why), _) => not_reached(why),
            (None, Some(why)) if !self.refused => not_reached(why),
            _ => Failure::NoToken("no token was issued for these credentials".to_owned()),
        }
    }
}

fn not_reached(why: &str) -> Failure {
    Failure::NoIssuer(format!("the service that issues tokens was not reached: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::failure::Refusal;

    fn refused(status: u16) -> Failure {
        Failure::Refused(Refusal { status, code: String::new(), request_id: None, date: None })
    }

    /// What became of each of those who were asked; none where one was given up.
    fn kind(answers: &[(Issuer, Option<Failure>)]) -> ErrorKind {
        let mut attempt = Attempt::default();
        for (issuer, answer) in answers {
            attempt.ask(*issuer);
            if let Some(failure) = answer {
                attempt.note(*issuer, Some(failure));
            }
        }
        attempt.failure().into_error(crate::client::Effect::Change).kind()
    }

    #[test]
    fn only_who_was_refused_by_all_that_answer_has_no_token() {
        use ErrorKind::{PermissionDenied, Unavailable};
        use Issuer::{Machine, Other};
        let lost = || Some(Failure::Lost("cut".into()));
        assert_eq!(kind(&[]), PermissionDenied);
        assert_eq!(kind(&[(Other, Some(refused(401)))]), PermissionDenied);
        assert_eq!(kind(&[(Other, Some(refused(503)))]), Unavailable);
        assert_eq!(kind(&[(Other, lost())]), Unavailable);
        assert_eq!(kind(&[(Other, None)]), Unavailable);
        assert_eq!(kind(&[(Machine, None)]), Unavailable);
        assert_eq!(kind(&[(Machine, Some(refused(429)))]), Unavailable);
        // In a chain.
        assert_eq!(kind(&[(Other, Some(refused(401))), (Machine, None)]), PermissionDenied);
        assert_eq!(kind(&[(Other, Some(refused(401))), (Machine, lost())]), PermissionDenied);
        assert_eq!(kind(&[(Other, Some(refused(503))), (Machine, Some(refused(400)))]), Unavailable);
        assert_eq!(kind(&[(Other, None), (Machine, Some(refused(400)))]), Unavailable);
    }
}
