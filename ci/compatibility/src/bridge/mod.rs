//! Drivers over the storage of other crates: [`Bridge`] is what they all need, and a module for each crate passes the calls on.
//!
//! A bridge repairs nothing. It adds what a caller of these crates has to add as well: they list in no order, and they know no
//! write that is put aside.

mod causes;
mod driver;
mod object_store_crate;
mod opendal_crate;
mod sessions;
mod upload;
mod writer;

pub use driver::Bridge;
pub use object_store_crate::{Moves, ObjectStoreCrate, Promises};
pub use opendal_crate::{OpendalCrate, Service};
pub use upload::{Foreign, Upload};
