//! Every request of every change goes wrong in every way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

#[path = "support/bench.rs"]
mod bench;
#[path = "../../s3/tests/object_store/mod.rs"]
mod object_store;
mod support;

use crate::bench::AzureBench;
use crate::object_store::changes::Change;
use crate::object_store::drill::drills;

drills! { AzureBench:
    put => Change::Put;
    put_in_blocks => Change::PutLarge;
    put_if_absent => Change::PutIfAbsent;
    put_if_match => Change::PutIfMatch;
    move_by_a_copy => Change::MoveSmall;
    delete_of_a_file => Change::DeleteFile;
    delete_if_match => Change::DeleteIfMatch;
    delete_of_a_tree => Change::DeleteTree;
    delete_of_a_tree_that_is_one_file => Change::DeleteTreeOfOneFile;
    delete_of_a_tree_of_sessions => Change::DeleteTreeOfSessions;
    delete_of_a_batch => Change::DeleteMany;
    abandon => Change::Abandon;
}
