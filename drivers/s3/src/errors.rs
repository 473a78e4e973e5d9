//! What becomes of a request that has no good answer, told by codes and never by texts.

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use driver_api::{Condition, Error, ErrorKind, Retry, StoragePath};

/// What an answer tells of its own failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    fate: Fate,
    status: Option<u16>,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

/// What may have happened all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing: the settings make no request possible.
    Unsendable,
    /// Nothing: there was nobody to sign it.
    Unsigned,
    /// Nothing: it never reached the service, or the service refused it.
    Nothing,
    /// The service answered that it failed, which it may have done after the change.
    Failed,
    /// Nobody knows, and it may still be under way.
    Lost,
}

impl Failure {
    /// A failure of a request to which S3 answers with a body: a 404 that tells no code comes from something in between, and
    /// is not the word of the service that something is gone.
    pub(crate) fn with_a_body(self) -> Self {
        if self.code.is_none() && self.status == Some(404) { Self::misunderstood() } else { self }
    }

    /// A failure of the client's call.
    pub(crate) fn of<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let request_id = error.request_id().map(str::to_owned);
        match &error {
            SdkError::ServiceError(answer) => {
                // Of a 404 without a body the client makes up a code.
                let is_silent = answer.raw().body().bytes().is_some_and(<[u8]>::is_empty);
                let told = Told {
                    code: answer.err().code().filter(|_| !is_silent).map(str::to_owned),
                    message: answer.err().message().map(str::to_owned),
                };
                Self::refused(status.unwrap_or_default(), told, request_id)
            }
            SdkError::ConstructionFailure(_) => Self::unsendable("the request can't be made", &error),
            _ if causes(&error).any(|cause| cause.is::<CredentialsError>()) => Self::unsigned(&error),
            SdkError::DispatchFailure(failure) if failure.is_user() || never_connected(&error) => {
                let message = format!("the service could not be reached: {}", innermost(&error));
                Self { fate: Fate::Nothing, status, code: None, message, request_id }
            }
            SdkError::ResponseError(_) => Self { status, request_id, ..Self::misunderstood() },
            _ => Self { status, request_id, ..Self::broken(&error) },
        }
    }

    /// The service answered with a status that is no success.
    pub(crate) fn refused(status: u16, told: Told, request_id: Option<String>) -> Self {
        let Told { code, message } = told;
        let message = match (&code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.clone(),
            (None, _) => format!("the service answered {status}"),
        };
        Self { fate: fate_of_answer(status, code.as_deref()), status: Some(status), code, message, request_id }
    }

    /// A failure of the connection.
    pub(crate) fn of_connection(error: ConnectorError) -> Self {
        // The type is of answers, and there was none.
        Self::of(SdkError::<HeadObjectError>::dispatch_failure(error))
    }

    /// There is nobody to sign the request.
    pub(crate) fn unsigned(error: &(dyn StdError + 'static)) -> Self {
        Self::unsent(Fate::Unsigned, format!("there are no credentials: {}", innermost(error)))
    }

    /// The settings make no request possible: `what` is wrong.
    pub(crate) fn unsendable(what: &str, error: &(dyn StdError + 'static)) -> Self {
        Self::unsent(Fate::Unsendable, format!("{what}: {}", innermost(error)))
    }

    /// Amazon's rules want a signature that the driver does not know.
    pub(crate) fn unsupported_signature() -> Self {
        let message = "the bucket takes no signatures of version 4".to_owned();
        Self::unsent(Fate::Unsendable, message)
    }

    fn unsent(fate: Fate, message: String) -> Self {
        Self { fate, status: None, code: None, message, request_id: None }
    }

    /// What nobody knows the end of.
    fn lost(message: String) -> Self {
        Self { fate: Fate::Lost, status: None, code: None, message, request_id: None }
    }

    /// The connection broke before the whole of the answer had come.
    pub(crate) fn broken(error: &(dyn StdError + 'static)) -> Self {
        Self::lost(format!("the connection broke: {}", innermost(error)))
    }

    /// An answer that is not what S3 answers with.
    pub(crate) fn misunderstood() -> Self {
        Self::lost("the answer could not be understood".to_owned())
    }

    /// The answer to a HEAD that there is nothing, where the service lists the object: nobody knows whose answer it was.
    pub(crate) fn contradicted() -> Self {
        Self::lost("an answer told that the object is not there, and the service lists it".to_owned())
    }

    /// No answer within the time that there was.
    pub(crate) fn timed_out(after: Duration) -> Self {
        Self::lost(format!("there was no answer for {after:?}"))
    }

    /// An answer that lacks what every answer of its kind has.
    pub(crate) fn incomplete(what: &'static str) -> Self {
        Self::lost(format!("the answer tells no {what}: it does not come from an S3 service"))
    }

    /// A task of the driver that ended without an answer, as all do when the runtime ends.
    pub(crate) fn interrupted() -> Self {
        Self::lost("the request was interrupted".to_owned())
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// The object is not there. The answer to a HEAD has no body, and does not tell that from a missing bucket.
    pub(crate) fn is_missing_key(&self) -> bool {
        self.has_code(&["NoSuchKey", "NotFound"]) || (self.code.is_none() && self.status == Some(404))
    }

    /// What was wrong is in a body, which the answer to a HEAD does not have: Amazon's to a wrong region and to a token that
    /// has expired.
    pub(crate) fn is_bare_refusal(&self) -> bool {
        self.code.is_none() && self.status == Some(400)
    }

    /// The multipart upload is not there: completed or aborted.
    pub(crate) fn is_missing_upload(&self) -> bool {
        self.has_code(&["NoSuchUpload"])
    }

    /// A condition did not hold.
    pub(crate) fn is_unmet_condition(&self) -> bool {
        self.has_code(&["PreconditionFailed"]) || (self.code.is_none() && self.status == Some(412))
    }

    /// `condition` did not hold. Where a version was to match, its absence is an answer of its own.
    pub(crate) fn is_unmet(&self, condition: &Condition) -> bool {
        self.is_unmet_condition() || (matches!(condition, Condition::IfMatch(_)) && self.is_missing_key())
    }

    /// The range begins at or behind the end.
    pub(crate) fn is_outside_range(&self) -> bool {
        self.has_code(&["InvalidRange"]) || (self.code.is_none() && self.status == Some(416))
    }

    /// It may have taken effect.
    pub(crate) fn is_unsure(&self) -> bool {
        matches!(self.fate, Fate::Failed | Fate::Lost)
    }

    /// The same failure once a look has shown that nothing happened. What may be under way stays unsure.
    pub(crate) fn not_applied(mut self) -> Self {
        if self.fate == Fate::Failed {
            self.fate = Fate::Nothing;
        }
        self
    }

    /// It never came to the service.
    pub(crate) fn never_reached(&self) -> bool {
        self.fate == Fate::Nothing && self.status.is_none()
    }

    /// There was no request to send.
    pub(crate) fn was_never_sent(&self) -> bool {
        matches!(self.fate, Fate::Unsendable | Fate::Unsigned)
    }

    /// The code of the service, where it told one.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The failure of a request that changes nothing.
    pub(crate) fn of_read(self, path: &StoragePath) -> Error {
        self.into_error().with_path(path)
    }

    /// The failure of a request that changes something.
    pub(crate) fn of_change(self, path: &StoragePath) -> Error {
        let unsure = self.is_unsure();
        let error = self.into_error().with_path(path);
        if unsure { error.with_retry(Retry::MaybeApplied) } else { error }
    }

    /// The failure of a request that changes nothing, about no path.
    pub(crate) fn into_error(self) -> Error {
        let kind = self.kind();
        let mut error = Error::new(kind, self.message);
        if let Some(request_id) = self.request_id {
            error = error.with_request_id(request_id);
        }
        error
    }

    fn kind(&self) -> ErrorKind {
        match (self.code.as_deref().and_then(kind_of_code), self.status) {
            (Some(kind), _) => kind,
            _ if self.is_unsure() => ErrorKind::Unavailable,
            _ if self.fate == Fate::Unsendable => ErrorKind::Misconfigured,
            (None, None | Some(200..=299)) => ErrorKind::Unavailable,
            // The service lacks what a setting asks for.
            (None, Some(301 | 307 | 308 | 501)) => ErrorKind::Misconfigured,
            (None, Some(401 | 403)) => ErrorKind::PermissionDenied,
            (None, Some(404)) => ErrorKind::NotFound,
            (None, Some(412)) => ErrorKind::Conflict,
            (None, Some(416)) => ErrorKind::InvalidRange,
            (None, Some(507)) => ErrorKind::NoSpace,
            (None, Some(408 | 429 | 500..)) => ErrorKind::Unavailable,
            (None, Some(_)) => ErrorKind::Other,
        }
    }
}

/// The kind of a code that S3 answers with; none of one that is not known.
pub(crate) fn kind_of_code(code: &str) -> Option<ErrorKind> {
    KINDS.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, kind)| *kind)
}

/// The kinds of the codes that S3 and services like it answer with.
const KINDS: &[(&[&str], ErrorKind)] = &[
    (&["NoSuchKey", "NotFound"], ErrorKind::NotFound),
    (
        &[
            "NoSuchBucket",
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "InvalidBucketName",
            "NotImplemented",
        ],
        ErrorKind::Misconfigured,
    ),
    (
        &[
            "AccessDenied",
            "AccountProblem",
            "AllAccessDisabled",
            "ExpiredToken",
            "InvalidAccessKeyId",
            "InvalidToken",
            "NotSignedUp",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
        ],
        ErrorKind::PermissionDenied,
    ),
    (&["PreconditionFailed", "NoSuchUpload", "InvalidPart"], ErrorKind::Conflict),
    (&["InvalidRange"], ErrorKind::InvalidRange),
    (&["EntityTooLarge"], ErrorKind::TooLarge),
    (
        &["InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"],
        ErrorKind::NoSpace,
    ),
    (
        &[
            "BadDigest",
            "BandwidthLimitExceeded",
            "ConditionalRequestConflict",
            "IncompleteBody",
            "InternalError",
            "OperationAborted",
            "RequestLimitExceeded",
            "RequestTimeout",
            "ServiceUnavailable",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
        ],
        ErrorKind::Unavailable,
    ),
];

fn fate_of_answer(status: u16, code: Option<&str>) -> Fate {
    match (status, code) {
        // The gateways in between do not know what the service behind them does.
        (502 | 504, _) => Fate::Lost,
        (_, Some("InternalError")) => Fate::Failed,
        (_, Some("SlowDown" | "ServiceUnavailable")) => Fate::Nothing,
        // Nor does one that answers 503 by itself: Envoy does so where the connection behind it broke (its flag UC).
        (503, None) => Fate::Failed,
        (501 | 503 | 507, _) => Fate::Nothing,
        (500.., _) => Fate::Failed,
        // An error within a success: the service had begun. One without a code is no answer of a service.
        (200..=299, Some(_)) => Fate::Failed,
        (200..=299, None) => Fate::Lost,
        _ => Fate::Nothing,
    }
}

/// Whether a failure came before there was a connection, so that nothing was sent.
fn never_connected<E: StdError + 'static>(error: &SdkError<E>) -> bool {
    causes(error)
        .any(|cause| cause.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect()))
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::put_object::PutObjectError;

    use super::*;

    #[test]
    fn a_refusal_without_a_code_may_come_from_something_in_between() {
        let refused = |status, code: Option<&str>| {
            let told = Told { code: code.map(str::to_owned), message: None };
            Failure::refused(status, told, None)
        };
        assert!(refused(503, None).is_unsure() && !refused(503, Some("SlowDown")).is_unsure());
        assert!(!refused(503, Some("Busy")).is_unsure() && !refused(507, None).is_unsure());
        assert!(refused(404, None).is_missing_key() && refused(404, Some("NoSuchKey")).with_a_body().is_missing_key());
        let bare = refused(404, None).with_a_body();
        assert!(bare.is_unsure() && !bare.is_missing_key());
        for (status, code, kind) in [
            (501, None, ErrorKind::Misconfigured),
            (501, Some("NotImplemented"), ErrorKind::Misconfigured),
            (408, None, ErrorKind::Unavailable),
            (503, None, ErrorKind::Unavailable),
            (507, None, ErrorKind::NoSpace),
            (400, None, ErrorKind::Other),
        ] {
            assert_eq!(refused(status, code).into_error().kind(), kind, "{status} {code:?}");
        }
    }

    #[test]
    fn a_change_that_nobody_could_sign_has_not_happened() {
        let path = StoragePath::parse("/a").unwrap();
        let no_credentials = CredentialsError::not_loaded("nobody has any");
        let error = SdkError::<PutObjectError>::dispatch_failure(ConnectorError::other(no_credentials.into(), None));
        let failure = Failure::of(error);
        assert!(failure.was_never_sent() && !failure.is_unsure());
        let error = failure.of_change(&path);
        assert_ne!(error.retry(), Retry::MaybeApplied);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("no credentials"), "{error}");
        let broken = ConnectorError::io("the network is down".into());
        let failure = Failure::of(SdkError::<PutObjectError>::dispatch_failure(broken));
        assert_eq!(failure.of_change(&path).retry(), Retry::MaybeApplied);
    }
}
