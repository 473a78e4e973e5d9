//! Concurrent histories, and whether one order of the calls explains every answer.

use crate::case::Case;
use crate::check::Verdict;
use crate::history::explore;

pub(crate) async fn have_one_order(case: &Case) -> Verdict {
    explore(case).await
}
