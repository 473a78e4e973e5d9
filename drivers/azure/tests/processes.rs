//! Several processes on one container: what one has kept another continues, and what one has stored all see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

#[path = "support/bench.rs"]
mod bench;
#[path = "../../s3/tests/object_store/mod.rs"]
mod object_store;
mod support;

use driver_api::{Storage, StoragePath, Url};
use driver_azure::{AzureDriver, AzureOptions};
use futures_util::TryStreamExt;

use crate::bench::BLOCK;
use crate::object_store::processes::{self as scenarios, Written};
use crate::support::Azurite;
use crate::support::proxy::{Fate, Proxy};

/// The service's URL and the root directory lead a child process to the store.
fn settings(endpoint: &Url, options: &AzureOptions) -> String {
    format!("{endpoint} {}", options.root)
}

fn connect(settings: &str) -> Storage {
    let (endpoint, root) = settings.split_once(' ').unwrap();
    let mut options = Azurite::get().options();
    options.service_url = Some(Url::parse(endpoint).unwrap());
    options.root = StoragePath::parse(root).unwrap();
    options.block_size = BLOCK as u64;
    Storage::new(AzureDriver::new(&options).unwrap())
}

/// Not a test of its own: what the child processes of the tests below run.
#[tokio::test]
async fn child_process() {
    scenarios::child_process(connect).await;
}

struct Shared {
    proxy: Proxy,
    settings: String,
    storage: Storage,
}

impl Shared {
    async fn new() -> Self {
        let azurite = Azurite::get();
        let (proxy, options) = (Proxy::start(&azurite.endpoint).await, azurite.options());
        let storage = connect(&settings(&azurite.endpoint, &options));
        Self { settings: settings(proxy.endpoint(), &options), proxy, storage }
    }

    /// Kills a process while one of its blocks is on its way, with this many requests before that one.
    async fn kill_amid_a_block(&self, written: Written, passing: usize) {
        self.proxy.next(std::iter::repeat_n(Fate::Pass, passing).chain([Fate::Hold]));
        scenarios::kill_amid_a_part(&self.settings, written, async || self.proxy.held().await).await;
        self.proxy.next([]);
    }
}

#[tokio::test]
async fn what_a_process_has_kept_another_one_continues_though_the_first_was_killed_amid_a_block() {
    // A look for a session and one for a file, three blocks and the marker; then the marker and its blocks are read.
    const BEFORE: usize = 2 + 3 + 1 + 2;
    for sent in [0, 1] {
        let shared = Shared::new().await;
        let written = Written { kept: 3 * BLOCK + 7, accepted: 8 * BLOCK, whole: 11 * BLOCK };
        shared.kill_amid_a_block(written, BEFORE + sent).await;
        scenarios::continue_and_commit(&shared.storage, written).await;
    }
}

#[tokio::test]
async fn blocks_of_a_killed_process_that_kept_nothing_disturb_nobody() {
    let shared = Shared::new().await;
    // A look for a session and one for a file come before the blocks.
    shared.kill_amid_a_block(Written { kept: 0, accepted: 5 * BLOCK, whole: 5 * BLOCK }, 3).await;
    let pages = shared.storage.unfinished(&driver_api::Context::background(), &StoragePath::root()).await.unwrap();
    assert_eq!(pages.try_concat().await.unwrap(), []);
    let kept = Written { kept: 3 * BLOCK + 7, accepted: 8 * BLOCK, whole: 11 * BLOCK };
    shared.kill_amid_a_block(kept, 9).await;
    scenarios::continue_and_commit(&shared.storage, kept).await;
}

#[tokio::test]
async fn each_process_sees_what_the_other_has_stored() {
    let shared = Shared::new().await;
    scenarios::each_sees_what_the_other_has_stored(&shared.settings, &shared.storage).await;
}

#[tokio::test]
async fn of_several_processes_one_makes_a_file_that_was_absent() {
    let shared = Shared::new().await;
    scenarios::one_process_wins_each_file(&shared.settings, &shared.storage).await;
}
