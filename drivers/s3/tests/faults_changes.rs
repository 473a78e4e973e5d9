//! Every request of every change goes wrong in every way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod fixture;
mod object_store;

use crate::fixture::bench::S3Bench;
use crate::object_store::changes::Change;
use crate::object_store::drill::drills;

drills! { S3Bench:
    put => Change::Put;
    put_of_ten_mebibytes => Change::PutLarge;
    put_if_absent => Change::PutIfAbsent;
    put_if_match => Change::PutIfMatch;
    move_by_one_copy => Change::MoveSmall;
    move_in_parts => Change::MoveLarge;
    delete_of_a_file => Change::DeleteFile;
    delete_if_match => Change::DeleteIfMatch;
    delete_of_a_tree => Change::DeleteTree;
    delete_of_a_tree_that_is_one_file => Change::DeleteTreeOfOneFile;
    delete_of_a_tree_of_sessions => Change::DeleteTreeOfSessions;
    delete_of_more_than_a_batch => Change::DeleteMany;
    abandon => Change::Abandon;
}
