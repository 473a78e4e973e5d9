//! The template driver keeps the contract.

use driver_template::TemplateDriver;

conformance::suite!(|| async { TemplateDriver::default() });
