//! What goes wrong on purpose, and when.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::operation::Operation;

/// How a request goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not done; the answer is this status with this error code. Status 200 makes an error within a success.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The error code in the body.
        code: &'static str,
    },
    /// It is done, and the answer is an error all the same.
    DoAndRefuse {
        /// The HTTP status.
        status: u16,
        /// The error code in the body.
        code: &'static str,
    },
    /// It is done this much later.
    Delay(Duration),
    /// It is done, and the connection breaks after this many bytes of the answer's body.
    CutBody(u64),
    /// It is done, and the answer's body stalls after this many bytes.
    StallBody(u64),
    /// The connection breaks before anything is done.
    Break,
    /// It is done, and the connection breaks in place of an answer.
    LoseAnswer,
    /// There is never an answer, and nothing is done.
    Hang,
    /// It is done, and there is never an answer.
    DoAndHang,
    /// Nothing is done, and a success comes whose body makes no sense.
    Garbage,
    /// It is done, and the headers of the answer make no sense.
    GarbageHeaders,
    /// The connection breaks once this many bytes of the request's body have come, and nothing is done.
    CutRequest(u64),
}

/// A fault, and the requests that it strikes: all, unless it is told which.
#[derive(Debug, Clone)]
pub struct Injection {
    pub(crate) fault: Fault,
    operation: Option<Operation>,
    key: Option<String>,
    skip: u64,
    times: Option<u64>,
}

impl Injection {
    /// `fault` for every request.
    pub fn new(fault: Fault) -> Self {
        Self { fault, operation: None, key: None, skip: 0, times: None }
    }

    /// Only for requests of `operation`.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only for requests whose path (`/bucket/key`) ends with this text.
    #[must_use]
    pub fn at(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Not for the first `requests` that it would strike.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// For no more than this many requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// For one request.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    fn strikes(&mut self, operation: Operation, path: &str) -> bool {
        let is_meant = self.operation.is_none_or(|meant| meant == operation)
            && self.key.as_ref().is_none_or(|key| path.ends_with(key.as_str()));
        if !is_meant || self.times == Some(0) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        true
    }
}

/// The injections of a server, the first that strikes being the one that counts.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    injections: Mutex<Vec<Injection>>,
    /// How many requests were struck since the injections were cleared.
    struck: watch::Sender<u64>,
}

impl Faults {
    pub(crate) fn add(&self, injection: Injection) {
        self.injections.lock().push(injection);
    }

    pub(crate) fn clear(&self) {
        self.struck.send_replace(0);
        self.injections.lock().clear();
    }

    pub(crate) fn strike(&self, operation: Operation, path: &str) -> Option<Fault> {
        let fault = self.injections.lock().iter_mut().find_map(|injection| {
            let strikes = injection.strikes(operation, path);
            strikes.then(|| injection.fault.clone())
        })?;
        self.struck.send_modify(|struck| *struck += 1);
        Some(fault)
    }

    /// Waits until so many requests have been struck.
    pub(crate) async fn struck(&self, requests: u64) {
        // The sender is here, so that there is always one.
        let _ = self.struck.subscribe().wait_for(|struck| *struck >= requests).await;
    }
}
