//! SIGINT: the first ends the work at hand cleanly, a second ends the process.

use driver_api::Context;

use crate::exit::INTERRUPTED;

/// A context that an interrupt cancels.
pub(crate) fn context() -> Context {
    let (context, token) = Context::background().with_cancellation();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            token.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(i32::from(INTERRUPTED));
        }
    });
    context
}
