//! Every request of every call that reads goes wrong in every way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use crate::fixture::bench::S3Bench;
use crate::object_store::drill::drills;
use crate::object_store::reads::Read;

drills! { S3Bench:
    get => Read::Get;
    get_of_a_range => Read::GetRange;
    get_of_a_range_at_the_end => Read::GetRangeAtTheEnd;
    get_of_nothing => Read::GetNothing;
    reader => Read::Reader;
    reader_of_a_range => Read::ReaderRange;
    stat_of_a_file => Read::StatFile;
    stat_of_a_directory => Read::StatDirectory;
    stat_of_nothing => Read::StatNothing;
    list_of_three_pages => Read::List;
    list_of_all_below => Read::ListRecursive;
    list_behind_all => Read::ListBehindAll;
    list_of_nothing => Read::ListNothing;
    unfinished => Read::Unfinished;
    writer_that_resumes_and_closes => Read::ResumeAndClose;
}
