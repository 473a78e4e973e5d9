//! `blobstore serve`

use std::path::{Path, PathBuf};

use clap::Args;
use driver_factory::Factory;
use registry::configuration::Configuration;
use registry::{Service, ServiceError};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Failure, Result};
use crate::{backend, logging};

/// Where a registry is kept that is served without a configuration file.
const DIRECTORY: &str = "registry-data";

/// The variable that names the configuration file where the command line does not, as the Go registry has it.
const VARIABLE: &str = "REGISTRY_CONFIGURATION_PATH";

/// Serve a registry
///
/// Without a configuration file it serves what is below ./registry-data on 127.0.0.1:5000. SIGTERM and SIGINT end it: it takes no
/// more connections, ends the requests at hand (`http.draintimeout`), and goes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration file; else the one that REGISTRY_CONFIGURATION_PATH names
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let configuration = read(arguments.file)?;
    #[cfg(feature = "opentelemetry")]
    let telemetry = crate::telemetry::Telemetry::begin()?;
    #[cfg(feature = "opentelemetry")]
    let spans = telemetry.as_ref().map(crate::telemetry::Telemetry::spans);
    #[cfg(not(feature = "opentelemetry"))]
    let spans = None;
    logging::begin(&configuration.log, spans)?;
    for warning in configuration.warnings() {
        tracing::warn!("{warning}");
    }
    // From here on a signal is waited for, so that none is missed between opening and serving.
    let stop = stop_signal()?;
    let service = Service::open(configuration).await?;
    let bound = service.bound().map_err(ServiceError::from)?;
    // What scripts wait for, and by which they learn the port that was free.
    match service.debug_address() {
        Some(operators) => tracing::info!(address = %bound, %operators, "serving"),
        None => tracing::info!(address = %bound, "serving"),
    }
    service.run(stop).await;
    tracing::info!("ended");
    #[cfg(feature = "opentelemetry")]
    if let Some(telemetry) = telemetry {
        telemetry.end().await;
    }
    Ok(())
}

fn read(file: Option<PathBuf>) -> Result<Configuration> {
    let factory = Factory::builtin();
    let file = file.or_else(|| std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from));
    // It names the file, and is no key in it.
    let variables = backend::variables().filter(|(name, _)| name != VARIABLE);
    Ok(match file {
        Some(file) => Configuration::read(&factory, backend::read_document(&file)?, variables)?,
        None => Configuration::without_file(&factory, Path::new(DIRECTORY), variables)?,
    })
}

/// Ready when the process is told to end.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let failed = |error| Failure::new(format!("signals cannot be waited for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending: no more connections are taken");
    })
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Storage(error) => error.into(),
            error => Self::new(error.to_string()),
        }
    }
}
