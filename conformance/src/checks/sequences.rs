//! Random sequences over the whole trait, against the reference model.

use crate::case::Case;
use crate::check::Verdict;
use crate::model::{Coverage, explore};

pub(crate) async fn agree_with_the_model(case: &Case) -> Verdict {
    explore(case, &mut Coverage::default()).await
}
