//! The suite as ordinary tests: one `#[test]` for each check.

use driver_api::CancellationToken;

use crate::check::Check;
use crate::options::{Options, Repeat};
use crate::profile::Profile;
use crate::report::{Failures, Outcome};
use crate::target::Target;

/// Makes one `#[test]` of every check, in a module for each group, against the driver, or the
/// [`Instance`](crate::Instance), that the closure makes.
///
/// ```
/// conformance::suite!(|| async { driver_inmemory::MemoryDriver::default() });
/// # fn main() {}
/// ```
///
/// `cargo test list::` runs a group. `CONFORMANCE_PROFILE` is `quick`, `standard` or `exhaustive`, quick where it is not
/// set; `CONFORMANCE_SEED` replays a run. A check that the driver's capabilities leave nothing of passes here, and says so
/// in its output: the test harness has no word for it. [`main`](crate::main) gives a report that has.
#[macro_export]
macro_rules! suite {
    ($make:expr) => {
        fn conformance_target() -> $crate::Target {
            $crate::Target::new(::core::env!("CARGO_PKG_NAME"), $make)
        }

        $crate::for_each_check!($crate::__tests);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($($group:ident { $($kind:ident $name:ident [$($clause:literal),+];)+ })+) => {$(
        mod $group {$(
            #[test]
            fn $name() {
                let check = ::core::concat!(::core::stringify!($group), "::", ::core::stringify!($name));
                $crate::__run_test(super::conformance_target(), check);
            }
        )+}
    )+};
}

/// Runs one check as a test: panics where it fails.
#[doc(hidden)]
#[expect(clippy::panic, reason = "this is how a test fails")]
pub fn __run_test(target: Target, name: &str) {
    let options = match options_of_test(target.name(), name) {
        Ok(options) => options,
        Err(message) => panic!("{message}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let report = runtime.block_on(crate::run(&[target], &options, &(), &CancellationToken::new()));
    // A driver that hangs must not hang the test.
    runtime.shutdown_background();
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    for result in report.targets.iter().flat_map(|target| &target.results) {
        match &result.outcome {
            Outcome::Passed => {}
            Outcome::Failed { .. } | Outcome::Deviated { .. } => panic!("{}", Failures(&report)),
            Outcome::Unsupported { capability } => println!("unsupported: the driver does not declare {capability}"),
            Outcome::Skipped { reason } => println!("skipped: {reason}"),
        }
    }
}

fn options_of_test(package: &str, name: &str) -> Result<Options, String> {
    let profile = match std::env::var("CONFORMANCE_PROFILE").as_deref() {
        Err(_) | Ok("quick") => Profile::Quick,
        Ok("standard") => Profile::Standard,
        Ok("exhaustive") => Profile::Exhaustive,
        Ok(other) => return Err(format!("CONFORMANCE_PROFILE is `{other}`, and can be quick, standard or exhaustive")),
    };
    let seed = match std::env::var("CONFORMANCE_SEED") {
        Err(_) => None,
        Ok(text) => Some(text.parse().map_err(|_| format!("CONFORMANCE_SEED is `{text}`, and must be a number"))?),
    };
    Ok(Options {
        profile,
        seed,
        only: vec![name.to_owned()],
        // Without it an exhaustive test would have no end.
        repeat_for: Some(std::time::Duration::ZERO),
        repeat: Repeat::CargoTest(package.to_owned()),
        ..Options::default()
    })
}

/// The list of checks as people read it: name, how it is run, clauses.
pub fn list_of_checks(checks: &[&Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    checks.iter().map(|check| format!("{:<width$}  {}\n", check.name, check.clauses.join(", "))).collect()
}
