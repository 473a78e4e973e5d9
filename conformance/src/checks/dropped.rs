//! Calls whose caller goes away.

use crate::case::Case;
use crate::check::Verdict;

pub(crate) async fn at_every_suspension_point(case: &Case) -> Verdict {
    crate::dropped::explore(case).await
}
