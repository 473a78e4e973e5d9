//! Whether a driver's settings lead to a container that it can use, and what to do where they do not.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use driver_api::{Error, ErrorKind, Result, Retry};

use crate::client::{Effect, Failure, Listing, clock_difference};
use crate::store::Store;

/// The service refuses requests that were signed by a clock further off than this.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(15 * 60);

impl Store {
    pub(crate) async fn check_connection(&self) -> Result<()> {
        let look = Listing {
            prefix: self.names.directory(&driver_api::StoragePath::root()),
            delimited: true,
            metadata: false,
            page: NonZeroU32::MIN,
        };
        self.container.list(&look, None).await.map_err(|failure| self.advised(failure))?;
        // Who may list need not be allowed to read; and the two are not signed by the same code.
        match self.container.head(&format!("{}~", look.prefix)).await {
            Err(failure) if !failure.is_missing() => return Err(self.advised(failure)),
            _ => {}
        }
        if self.container.is_hierarchical().await == Some(true) {
            let message = "the account has a hierarchical namespace, in which directories are more than names; the driver \
                           needs one without";
            return Err(Error::new(ErrorKind::Misconfigured, message));
        }
        Ok(())
    }

    fn advised(&self, failure: Failure) -> Error {
        let (kind, advice) = self.advice(&failure);
        let answer = failure.to_string();
        let detail = failure.into_error(Effect::None);
        let retry = if kind == ErrorKind::Unavailable { Retry::Safe } else { Retry::Never };
        Error::new(kind, format!("{advice} ({answer})")).with_retry(retry).with_source(detail)
    }

    fn advice(&self, failure: &Failure) -> (ErrorKind, String) {
        let endpoint = self.container.endpoint();
        let host = endpoint.host_str().unwrap_or("?");
        let refusal = match failure {
            Failure::NoToken(_) => {
                let advice = "no token was issued: look at the tenant, the client id and its secret".to_owned();
                return (ErrorKind::PermissionDenied, advice);
            }
            Failure::NoIssuer(_) => {
                let advice = "nobody said whether there is a token for these credentials: look at their authority, the network, \
                              and whether this machine has any";
                return (ErrorKind::Unavailable, advice.to_owned());
            }
            Failure::Refused(refusal) if refusal.is_nobodys() => {
                return (ErrorKind::Misconfigured, not_the_service(endpoint.as_str()));
            }
            Failure::Refused(refusal) => refusal,
            Failure::Senseless(_) => return (ErrorKind::Misconfigured, not_the_service(endpoint.as_str())),
            Failure::Unusable(_) => return (ErrorKind::Other, "no request can be made of these settings".to_owned()),
            Failure::Unsent(_) | Failure::Lost(_) => {
                let advice = format!(
                    "{host} does not answer: look at the account name, the realm or service URL, and the network"
                );
                return (ErrorKind::Unavailable, advice);
            }
        };
        let difference = refusal.date.as_deref().and_then(|date| clock_difference(date, SystemTime::now()));
        let advice = match (refusal.kind(), refusal.code.as_str()) {
            (ErrorKind::Misconfigured, "ContainerNotFound") => {
                format!("{host} has no container `{}`: make it, or look at its name", self.container.name())
            }
            (ErrorKind::Misconfigured, "ContainerBeingDeleted" | "ContainerDisabled") => {
                format!("the container `{}` is being deleted or is disabled", self.container.name())
            }
            (ErrorKind::PermissionDenied, _) if difference.is_some_and(|difference| difference > CLOCK_TOLERANCE) => {
                let minutes = difference.unwrap_or_default().as_secs() / 60;
                format!("the credentials were refused, and the clock of this machine is {minutes} minutes off: set it")
            }
            (ErrorKind::PermissionDenied, _) => {
                "the credentials were refused, or may not list and read the container: look at the account name, its key \
                 or signature, the permissions, and the firewall of the account"
                    .to_owned()
            }
            (ErrorKind::Unavailable, _) => format!("{host} cannot serve requests now"),
            _ => return (ErrorKind::Misconfigured, not_the_service(endpoint.as_str())),
        };
        (refusal.kind(), advice)
    }
}

fn not_the_service(endpoint: &str) -> String {
    format!("what answers at {endpoint} is not the blob service: look at the service URL")
}
