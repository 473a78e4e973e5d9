//! What can go wrong with a request, as far as the wire tells, and what that means in the contract's terms.

use std::fmt;

use driver_api::{Error, ErrorKind, Retry};

/// A request that did not succeed.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The service answered with an error.
    Refused(Refusal),
    /// No token was issued for the credentials, so that nothing was sent.
    #[cfg_attr(not(feature = "entra"), expect(dead_code, reason = "without tokens nobody lacks one"))]
    NoToken(String),
    /// Nobody said whether there is a token for the credentials, so that nothing was sent.
    #[cfg_attr(not(feature = "entra"), expect(dead_code, reason = "without tokens nobody issues them"))]
    NoIssuer(String),
    /// No connection was made, so that nothing can have happened.
    Unsent(String),
    /// The request was sent, and no whole answer came.
    Lost(String),
    /// The request was sent, and its answer makes no sense.
    Senseless(String),
    /// The request could not be made.
    Unusable(String),
}

/// An error answer.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The service's name of the error; empty where the answer has none, as of a proxy in between.
    pub(crate) code: String,
    pub(crate) request_id: Option<String>,
    /// The `Date` of the answer.
    pub(crate) date: Option<String>,
}

/// What a request can have done to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing that anybody sees: it reads, or repeating it is harmless.
    None,
    /// A change.
    Change,
}

impl Failure {
    /// What the service answers to a range that begins at or behind the end.
    pub(crate) fn beyond_the_end() -> Self {
        Self::Refused(Refusal { status: 416, code: "InvalidRange".to_owned(), request_id: None, date: None })
    }

    /// The service's name of the error, where the service answered.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.code),
            _ => None,
        }
    }

    /// Whether the answer says that there is no such blob.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.kind() == ErrorKind::NotFound)
    }

    /// Whether the answer says that a condition does not hold. With a code that is not one of these a 412 speaks of a lease.
    pub(crate) fn is_unmet_condition(&self) -> bool {
        const CODES: [&str; 4] =
            ["ConditionNotMet", "TargetConditionNotMet", "SourceConditionNotMet", "BlobAlreadyExists"];
        match self {
            Self::Refused(Refusal { status: 412, code, .. }) if code.is_empty() => true,
            Self::Refused(refusal) => CODES.contains(&refusal.code.as_str()),
            _ => false,
        }
    }

    /// Whether the request may have had an effect although it failed.
    pub(crate) fn is_ambiguous(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_ambiguous(),
            Self::Unsent(_) | Self::NoToken(_) | Self::NoIssuer(_) | Self::Unusable(_) => false,
            Self::Lost(_) | Self::Senseless(_) => true,
        }
    }

    /// The failure as an error of the contract.
    pub(crate) fn into_error(self, effect: Effect) -> Error {
        let ambiguous = effect == Effect::Change && self.is_ambiguous();
        let error = match self {
            Self::Refused(refusal) => refusal.into_error(),
            // What makes no sense was damaged on its way, or comes from something in between: it may be right the next time.
            Self::Unsent(message) | Self::NoIssuer(message) | Self::Lost(message) | Self::Senseless(message) => {
                Error::new(ErrorKind::Unavailable, message)
            }
            Self::NoToken(message) => Error::new(ErrorKind::PermissionDenied, message),
            Self::Unusable(message) => Error::new(ErrorKind::Other, message),
        };
        if ambiguous { error.with_retry(Retry::MaybeApplied) } else { error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "the service answered {} {}", refusal.status, refusal.code),
            Self::NoToken(message)
            | Self::NoIssuer(message)
            | Self::Unsent(message)
            | Self::Lost(message)
            | Self::Senseless(message)
            | Self::Unusable(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

impl Refusal {
    /// Whether the answer is a 404 that does not say what is missing. It comes from something else than the service (ERR-7).
    pub(crate) fn is_nobodys(&self) -> bool {
        self.status == 404 && self.code.is_empty()
    }

    /// Whether what was asked for may have been done. The service answers 503 to what it has not begun; a gateway does so too
    /// where the connection behind it broke (Envoy, by its flag UC).
    fn is_ambiguous(&self) -> bool {
        match self.status {
            404 | 503 => self.code.is_empty(),
            501 | 505 | 507 => false,
            408 | 500..=599 => true,
            _ => false,
        }
    }

    /// The kind of error that the service's code means. The status decides only where there is no code, or an unknown one.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self.code.as_str() {
            "BlobNotFound" | "ResourceNotFound" | "CannotVerifyCopySource" if self.status == 404 => ErrorKind::NotFound,
            "ContainerNotFound" | "ContainerBeingDeleted" | "ContainerDisabled" => ErrorKind::Misconfigured,
            "BlobAlreadyExists" => ErrorKind::AlreadyExists,
            "InvalidBlockList" | "InvalidBlobOrBlock" => ErrorKind::Conflict,
            "BlockCountExceedsLimit" | "BlockListTooLong" => ErrorKind::TooLarge,
            "InvalidAuthenticationInfo" | "NoAuthenticationInformation" => ErrorKind::PermissionDenied,
            "Md5Mismatch" | "Crc64Mismatch" => ErrorKind::Unavailable,
            _ => self.kind_of_status(),
        }
    }

    fn kind_of_status(&self) -> ErrorKind {
        match self.status {
            401 | 403 => ErrorKind::PermissionDenied,
            // A proxy that is asked at a bad moment says so of anything.
            404 if self.is_nobodys() => ErrorKind::Unavailable,
            300..=399 | 404 | 501 => ErrorKind::Misconfigured,
            409 | 412 => ErrorKind::Conflict,
            413 => ErrorKind::TooLarge,
            416 => ErrorKind::InvalidRange,
            507 => ErrorKind::NoSpace,
            408 | 429 | 500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        }
    }

    fn into_error(self) -> Error {
        let kind = self.kind();
        let code = if self.code.is_empty() { "and no error code" } else { &self.code };
        let error = Error::new(kind, format!("{}: the service answered {} {code}", explain(kind, &self), self.status));
        match self.request_id {
            Some(id) => error.with_request_id(id),
            None => error,
        }
    }
}

/// What the user can make of the service's code.
fn explain(kind: ErrorKind, refusal: &Refusal) -> &'static str {
    match (kind, refusal.code.as_str()) {
        (ErrorKind::NotFound, _) => "there is no such file or directory",
        (ErrorKind::AlreadyExists, _) => "there is a file already",
        (ErrorKind::PermissionDenied, _) => {
            "the credentials or the access were refused; a clock that is wrong does it too"
        }
        (ErrorKind::Misconfigured, "ContainerNotFound") => "there is no such container",
        (ErrorKind::Misconfigured, "ContainerBeingDeleted" | "ContainerDisabled") => "the container is not in use",
        (ErrorKind::Misconfigured, _) => "what answers there does not look like the blob service",
        (ErrorKind::Conflict, "InvalidBlockList") => {
            "the blocks of this write are gone: something else was published at its path meanwhile"
        }
        (ErrorKind::Conflict, "InvalidBlobOrBlock") => {
            "blocks of another program are at the name; delete the blob, or wait a week until they are forgotten"
        }
        (ErrorKind::Conflict, "InvalidBlobType") => {
            "there is a blob of another type, such as an append blob; delete it before it is written in blocks"
        }
        (ErrorKind::Conflict, code) if code.starts_with("Lease") => "somebody holds a lease on the blob",
        (ErrorKind::Conflict, "PendingCopyOperation") => "something is being copied there",
        (ErrorKind::Conflict, _) => "the state of the blob forbids it",
        (ErrorKind::TooLarge, _) => "more bytes or more blocks than the service takes",
        (ErrorKind::InvalidRange, _) => "the range begins behind the end of the file",
        (ErrorKind::Unavailable, "Md5Mismatch" | "Crc64Mismatch") => "the bytes changed on their way to the service",
        (ErrorKind::Unavailable, _) => "the service cannot do it now",
        (ErrorKind::NoSpace, _) => "no room is left",
        _ => "the request was refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> Failure {
        Failure::Refused(Refusal { status, code: code.to_owned(), request_id: None, date: None })
    }

    #[test]
    fn codes_decide_before_the_status() {
        use ErrorKind::*;
        for (status, code, kind) in [
            (404, "BlobNotFound", NotFound),
            (404, "CannotVerifyCopySource", NotFound),
            (403, "CannotVerifyCopySource", PermissionDenied),
            (404, "ContainerNotFound", Misconfigured),
            (404, "", Unavailable),
            (404, "AccountIsDisabled", Misconfigured),
            (409, "ContainerBeingDeleted", Misconfigured),
            (409, "BlobAlreadyExists", AlreadyExists),
            (412, "ConditionNotMet", Conflict),
            (400, "InvalidBlockList", Conflict),
            (400, "InvalidAuthenticationInfo", PermissionDenied),
            (403, "AuthenticationFailed", PermissionDenied),
            (413, "RequestBodyTooLarge", TooLarge),
            (503, "ServerBusy", Unavailable),
            (429, "", Unavailable),
            (307, "", Misconfigured),
            (507, "", NoSpace),
            (520, "", Unavailable),
        ] {
            assert_eq!(refused(status, code).into_error(Effect::None).kind(), kind, "{status} {code}");
        }
    }

    #[test]
    fn a_lease_is_no_condition_that_does_not_hold() {
        assert!(refused(412, "ConditionNotMet").is_unmet_condition() && refused(412, "").is_unmet_condition());
        for code in ["LeaseIdMissing", "LeaseIdMismatchWithBlobOperation"] {
            let failure = refused(412, code);
            assert!(!failure.is_unmet_condition());
            let error = failure.into_error(Effect::Change);
            assert!(error.kind() == ErrorKind::Conflict && error.message().contains("lease"), "{error}");
        }
    }

    #[test]
    fn a_change_without_an_answer_may_have_been_applied() {
        let lost = || Failure::Lost("cut".into());
        assert_eq!(lost().into_error(Effect::Change).retry(), Retry::MaybeApplied);
        assert_eq!(lost().into_error(Effect::None).retry(), Retry::Safe);
        assert_eq!(refused(500, "InternalError").into_error(Effect::Change).retry(), Retry::MaybeApplied);
        let senseless = || Failure::Senseless("no XML".into());
        assert_eq!(senseless().into_error(Effect::Change).retry(), Retry::MaybeApplied);
        let read = senseless().into_error(Effect::None);
        assert_eq!((read.kind(), read.retry()), (ErrorKind::Unavailable, Retry::Safe));
        for status in [404, 503, 520] {
            assert_eq!(refused(status, "").into_error(Effect::Change).retry(), Retry::MaybeApplied);
        }
        assert_eq!(refused(503, "ServerBusy").into_error(Effect::Change).retry(), Retry::Safe);
        assert_eq!(refused(404, "BlobNotFound").into_error(Effect::Change).retry(), Retry::Never);
        assert_eq!(Failure::Unsent("refused".into()).into_error(Effect::Change).retry(), Retry::Safe);
    }
}
