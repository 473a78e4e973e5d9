//! Azurite behind the proxy as a bench for the drills.
#![allow(dead_code)] // Each test binary uses a part of this.

use std::time::Duration;

use driver_api::layers::Prefix;
use driver_api::{Context, PutOptions, Storage, StoragePath};
use driver_azure::{AzureDriver, AzureOptions};
use futures_util::StreamExt;

use crate::object_store::drill::{Bench, Nature, Sizes};
use crate::object_store::{content, path};
use crate::support::Azurite;
use crate::support::proxy::{Fate, Proxy};

pub(crate) const BLOCK: usize = 64 * 1024;
/// Long enough for a machine under load to answer, and short enough to wait for where nothing answers.
const PATIENCE: Duration = Duration::from_millis(1500);

/// One root directory, through a proxy and past it. An empty store is another directory below it.
pub(crate) struct AzureBench {
    proxy: Proxy,
    options: AzureOptions,
    proxied: Storage,
    direct: Storage,
    number: usize,
    storage: Storage,
}

fn directory(number: usize) -> StoragePath {
    StoragePath::parse(&format!("/{number}")).unwrap()
}

impl Bench for AzureBench {
    type Fault = Fate;

    const SIZES: Sizes = Sizes { small: 4096, large: 2 * BLOCK + 1, kept: BLOCK + 1, piece: BLOCK, many: 3 };

    fn faults() -> Vec<Fate> {
        vec![
            Fate::Delay(Duration::from_millis(20)),
            Fate::Answer(503, "ServerBusy"),
            Fate::Answer(429, ""),
            Fate::Answer(500, "InternalError"),
            Fate::Answer(502, ""),
            Fate::PassAndAnswer(500, "OperationTimedOut"),
            // As a gateway does, where the connection behind it broke.
            Fate::PassAndAnswer(503, ""),
            Fate::Break,
            Fate::LoseAnswer,
            Fate::CutBody(10),
            Fate::CutRequest(10),
            Fate::Garbage("<html>It works!</html>"),
            Fate::GarbageHeaders,
            Fate::Hang,
        ]
    }

    fn nature(fate: &Fate) -> Nature {
        match fate {
            Fate::Delay(_) => Nature::Delay,
            Fate::Answer(503 | 429, _) => Nature::Refusal,
            Fate::Hang => Nature::Hang,
            _ => Nature::Loss,
        }
    }

    async fn new(fate: &Fate, _: bool) -> Self {
        let azurite = Azurite::get();
        let proxy = Proxy::start(&azurite.endpoint).await;
        let mut options = azurite.options();
        (options.block_size, options.single_put) = (BLOCK as u64, BLOCK as u64);
        // Azurite closes what was idle for five seconds, and here the one waits while the other's requests hang.
        options.idle_connections = 0;
        // When it collects garbage it answers nobody for half a minute.
        options.answer_timeout = Duration::from_secs(100);
        let direct = Storage::new(AzureDriver::new(&options).unwrap());
        options.service_url = Some(proxy.endpoint().clone());
        if Self::nature(fate) == Nature::Hang {
            options.answer_timeout = PATIENCE;
        }
        let proxied = Storage::new(AzureDriver::new(&options).unwrap());
        let storage = proxied.layered(Prefix::new(directory(0)));
        Self { proxy, options, proxied, direct, number: 0, storage }
    }

    async fn renewed(self) -> Self {
        let number = self.number + 1;
        let storage = self.proxied.layered(Prefix::new(directory(number)));
        Self { number, storage, ..self }
    }

    fn storage(&self) -> &Storage {
        &self.storage
    }

    fn other_process(&self) -> Storage {
        self.direct.layered(Prefix::new(directory(self.number)))
    }

    async fn store(&self, file: &str, size: usize) {
        let (storage, file) = (self.other_process(), path(file));
        storage.put(&Context::background(), &file, content(size), PutOptions::default()).await.unwrap();
    }

    fn strike(&self, nth: u64, fate: &Fate) {
        self.proxy.next(std::iter::repeat_n(Fate::Pass, nth as usize).chain([fate.clone()]));
    }

    fn requests(&self) -> u64 {
        self.proxy.take().len() as u64
    }

    fn clear(&self) {
        self.proxy.next([]);
    }

    /// One of each kind: each drill costs Azurite thousands of requests.
    fn is_repeated(fate: &Fate) -> bool {
        let kinds = [
            Fate::Answer(503, "ServerBusy"),
            Fate::Answer(500, "InternalError"),
            Fate::Break,
            Fate::LoseAnswer,
            Fate::CutBody(10),
            Fate::GarbageHeaders,
        ];
        kinds.contains(fate)
    }

    /// Each listing goes through all blobs that Azurite has.
    async fn end(self) {
        let root = self.options.root.as_str().trim_start_matches('/').to_owned();
        let container = Azurite::get().bare();
        let mut pages = container.list_blobs().prefix(format!("{root}/")).into_stream();
        while let Some(page) = pages.next().await {
            for blob in page.unwrap().blobs.blobs() {
                container.blob_client(&blob.name).delete().await.unwrap();
            }
        }
    }

    /// No marker is left. Blocks that nobody committed cannot be discarded; the service forgets them.
    async fn expect_no_residue(&self, fate: &Fate) {
        for session in ["a", "d/s"] {
            let marker = format!("{}/~/{}/{session}", self.options.root.as_str().trim_start_matches('/'), self.number);
            assert!(!Azurite::get().bare().blob_client(&marker).exists().await.unwrap(), "{marker} after {fate:?}");
        }
    }

    fn shows_a_secret(text: &str) -> bool {
        text.contains("SharedKey") || text.contains(&Azurite::get().key)
    }
}
