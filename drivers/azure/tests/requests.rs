//! How many requests each operation costs, counted on the wire; the table in `docs/azure.md` is this one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

mod support;

use bytes::Bytes;
use driver_api::{
    ByteRange, CommitOptions, Condition, Context, DeleteOptions, Entry, EntryKey, Error, GetOptions, ListOptions,
    PutOptions, ReadOptions, Storage, StoragePath, UrlOptions, WriteOptions,
};
use driver_azure::AzureDriver;
use futures_util::StreamExt;

use support::Azurite;
use support::proxy::{Fate, Proxy};

const BLOCK: usize = 256 * 1024;

struct Counted {
    proxy: Proxy,
    storage: Storage,
    context: Context,
}

impl Counted {
    async fn new() -> Self {
        Self::with_block(BLOCK as u64).await
    }

    async fn with_block(block_size: u64) -> Self {
        let azurite = Azurite::get();
        let proxy = Proxy::start(&azurite.endpoint).await;
        let mut options = azurite.options();
        options.service_url = Some(proxy.endpoint().clone());
        options.block_size = block_size;
        let storage = Storage::new(AzureDriver::new(&options).unwrap());
        Self { proxy, storage, context: Context::background() }
    }

    async fn put(&self, path: &StoragePath, content: Bytes) {
        self.storage.put(&self.context, path, content, PutOptions::default()).await.unwrap();
    }

    /// Runs `operation` and tells its requests as `METHOD` or `METHOD comp`, in the order in which they came.
    async fn of<T>(&self, operation: impl Future<Output = T>) -> (Vec<String>, T) {
        self.proxy.take();
        let answer = operation.await;
        (self.proxy.take(), answer)
    }
}

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

#[tokio::test]
async fn files_cost_one_request_each() {
    let counted = Counted::new().await;
    let (storage, context, file) = (&counted.storage, &counted.context, path("/d/file"));
    let put = storage.put(context, &file, vec![1; 4096], PutOptions::default());
    assert_eq!(counted.of(put).await.0, ["PUT"]);
    let conditional = PutOptions::default().with_condition(Condition::IfAbsent);
    let (requests, refused) = counted.of(storage.put(context, &file, "other", conditional)).await;
    assert_eq!((requests, refused.is_err()), (vec!["PUT".to_owned()], true));
    assert_eq!(counted.of(storage.get(context, &file, GetOptions::default())).await.0, ["GET"]);
    let ranged = GetOptions::default().with_range(ByteRange::span(5, 10));
    assert_eq!(counted.of(storage.get(context, &file, ranged)).await.0, ["GET"]);
    let read = async {
        let reader = storage.reader(context, &file, ReadOptions::default()).await.unwrap();
        reader.read_to_end(u64::MAX).await.unwrap()
    };
    assert_eq!(counted.of(read).await.0, ["GET"]);
    // The service refuses a range that begins at the end; Azurite answers it without bytes.
    counted.proxy.next([Fate::Answer(416, "InvalidRange")]);
    let at_end = GetOptions::default().with_range(ByteRange::from(4096));
    let (requests, answer) = counted.of(storage.get(context, &file, at_end)).await;
    assert_eq!((requests, answer.unwrap().1), (vec!["GET".to_owned(), "HEAD".to_owned()], Bytes::new()));
    let nothing = GetOptions::default().with_range(ByteRange::span(3, 0));
    assert_eq!(counted.of(storage.get(context, &file, nothing)).await.0, ["HEAD"]);
    assert_eq!(counted.of(storage.stat(context, &file)).await.0, ["HEAD"]);
    assert_eq!(counted.of(storage.url_for(context, &file, UrlOptions::default())).await.0, [""; 0]);
    assert_eq!(counted.of(storage.delete(context, &file, DeleteOptions::default())).await.0, ["DELETE"]);
}

#[tokio::test]
async fn a_large_put_goes_in_blocks_and_leaves_a_kept_session_alone() {
    let counted = Counted::with_block(16 << 20).await;
    let (storage, context, file) = (&counted.storage, &counted.context, path("/file"));
    let mut writer = storage.writer(context, &file, WriteOptions::default()).await.unwrap();
    writer.write(context, Bytes::from_static(b"kept")).await.unwrap();
    writer.close(context).await.unwrap();
    let content = Bytes::from(vec![7; (64 << 20) + 1]);
    let (mut requests, info) = counted.of(storage.put(context, &file, content, PutOptions::default())).await;
    assert_eq!(info.unwrap().size, (64 << 20) + 1);
    assert_eq!(requests.pop().unwrap(), "PUT blocklist");
    assert_eq!(requests, ["PUT block"; 5]);
    let (largest, one, other) = (Bytes::from(vec![7; 64 << 20]), path("/one"), path("/other"));
    let put = storage.put(context, &one, largest, PutOptions::default());
    assert_eq!(counted.of(put).await.0, ["PUT"]);
    assert_eq!(counted.of(storage.move_to(context, &one, &other)).await.0, ["HEAD", "PUT", "DELETE"]);
    let writer = storage.writer(context, &file, WriteOptions::append()).await.unwrap();
    assert_eq!(writer.size(), 4);
}

#[tokio::test]
async fn an_empty_file_is_one_request_too() {
    let counted = Counted::new().await;
    counted.put(&path("/empty"), Bytes::new()).await;
    let empty = path("/empty");
    let get = counted.storage.get(&counted.context, &empty, GetOptions::default());
    let (requests, answer) = counted.of(get).await;
    assert_eq!((requests, answer.unwrap().1), (vec!["GET".to_owned()], Bytes::new()));
}

#[tokio::test]
async fn a_directory_and_nothing_cost_two() {
    let counted = Counted::new().await;
    counted.put(&path("/d/file"), Bytes::new()).await;
    let (requests, directory) = counted.of(counted.storage.stat(&counted.context, &path("/d"))).await;
    assert_eq!(
        (requests, directory.unwrap()),
        (vec!["HEAD".to_owned(), "GET list".to_owned()], Entry::Directory(path("/d")))
    );
    let (requests, nothing) = counted.of(counted.storage.stat(&counted.context, &path("/n"))).await;
    assert_eq!((requests, nothing.unwrap_err().is_not_found()), (vec!["HEAD".to_owned(), "GET list".to_owned()], true));
    assert_eq!(counted.of(counted.storage.stat(&counted.context, &StoragePath::root())).await.0, [""; 0]);
}

#[tokio::test]
async fn a_listing_costs_a_request_a_page() {
    let counted = Counted::new().await;
    let list = async |at: &str, options| {
        let listing = counted.storage.list(&counted.context, &path(at), options).await?;
        Ok::<_, Error>(listing.collect().await.unwrap().len())
    };
    let (requests, entries) = counted.of(list("/", ListOptions::default())).await;
    assert_eq!((requests, entries.unwrap()), (vec!["GET list".to_owned()], 0));
    assert_eq!(counted.of(list("/d", ListOptions::default())).await.0, ["GET list"]);
    for number in 0..7 {
        counted.put(&path(&format!("/d/{number}")), Bytes::new()).await;
    }
    for (page, pages) in [(7, 1), (3, 3), (1, 7)] {
        let options = ListOptions::default().with_page_size(std::num::NonZeroUsize::new(page).unwrap());
        let (requests, entries) = counted.of(list("/d", options.clone())).await;
        assert_eq!((requests, entries.unwrap()), (vec!["GET list".to_owned(); pages], 7), "pages of {page}");
        // The service can't begin behind a key.
        let behind = options.with_start_after(EntryKey::parse("/d/5").unwrap());
        let (requests, entries) = counted.of(list("/d", behind)).await;
        assert_eq!((requests, entries.unwrap()), (vec!["GET list".to_owned(); pages], 1), "pages of {page}");
    }
}

#[tokio::test]
async fn a_move_is_a_look_a_copy_and_a_delete() {
    let counted = Counted::new().await;
    counted.put(&path("/from"), Bytes::from_static(b"content")).await;
    let (from, to) = (path("/from"), path("/to"));
    let (requests, answer) = counted.of(counted.storage.move_to(&counted.context, &from, &to)).await;
    answer.unwrap();
    assert_eq!(requests, ["HEAD", "PUT", "DELETE"]);
}

#[tokio::test]
async fn writers_cost_their_blocks_and_little_else() {
    let counted = Counted::new().await;
    let (storage, context, file) = (&counted.storage, &counted.context, path("/file"));
    let write = |size: usize, options: WriteOptions| async move {
        let mut writer = storage.writer(context, &path("/file"), options).await.unwrap();
        for chunk in vec![7; size].chunks(64 * 1024) {
            writer.write(context, Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        writer
    };
    let small = async { write(BLOCK, WriteOptions::default()).await.commit(context, CommitOptions::default()).await };
    // The delete is of the marker of an earlier session, which this writer gave up.
    assert_eq!(counted.of(small).await.0, ["PUT", "DELETE"]);
    let large =
        async { write(3 * BLOCK + 1, WriteOptions::default()).await.commit(context, CommitOptions::default()).await };
    assert_eq!(
        counted.of(large).await.0,
        ["PUT block", "PUT block", "PUT block", "PUT block", "PUT blocklist", "DELETE"]
    );
    storage.delete(context, &file, DeleteOptions::default()).await.unwrap();

    let keep = async { write(2 * BLOCK + 5, WriteOptions::default()).await.close(context).await.unwrap() };
    assert_eq!(counted.of(keep).await.0, ["PUT block", "PUT block", "PUT"]);
    let ask = async { write(0, WriteOptions::append()).await.close(context).await.unwrap() };
    assert_eq!(counted.of(ask).await, (vec!["GET".to_owned(), "GET blocklist".to_owned()], 2 * BLOCK as u64 + 5));
    // A block that nobody needs, so that the service keeps the others for another week.
    let add = async { write(5, WriteOptions::append()).await.close(context).await.unwrap() };
    assert_eq!(counted.of(add).await.0, ["GET", "GET blocklist", "PUT block", "PUT"]);
    let go_on = async { write(5, WriteOptions::append()).await.commit(context, CommitOptions::default()).await };
    let (requests, info) = counted.of(go_on).await;
    assert_eq!(requests, ["GET", "GET blocklist", "PUT block", "PUT blocklist", "DELETE"]);
    assert_eq!(info.unwrap().size, 2 * BLOCK as u64 + 15);
    let whole = storage.get(context, &file, GetOptions::default()).await.unwrap().1;
    assert_eq!(whole, vec![7; 2 * BLOCK + 15]);
}

#[tokio::test]
async fn writers_that_append_or_end_without_a_file_cost_what_they_look_at() {
    let counted = Counted::new().await;
    let (context, file) = (&counted.context, path("/s/file"));
    let open = async |options| counted.storage.writer(context, &file, options).await.unwrap();
    // Nothing is kept, and no file is there.
    let (requests, mut writer) = counted.of(open(WriteOptions::append())).await;
    assert_eq!(requests, ["GET", "HEAD"]);
    writer.write(context, Bytes::from(vec![7; 2 * BLOCK + 1])).await.unwrap();
    let (requests, info) = counted.of(writer.commit(context, CommitOptions::default())).await;
    assert_eq!((requests.last().unwrap().as_str(), info.unwrap().size), ("PUT blocklist", 2 * BLOCK as u64 + 1));
    counted.storage.delete(context, &file, DeleteOptions::default()).await.unwrap();
    let writer = open(WriteOptions::append()).await;
    assert_eq!(counted.of(writer.cancel(context)).await.0, [""; 0]);
    assert_eq!(counted.of(open(WriteOptions::default()).await.cancel(context)).await.0, ["DELETE"]);
    // A session with blocks costs their list, wherever it is asked for.
    let keep = async || {
        let mut writer = open(WriteOptions::default()).await;
        writer.write(context, Bytes::from(vec![7; 2 * BLOCK + 1])).await.unwrap();
        writer.close(context).await.unwrap();
    };
    keep().await;
    let listed = async {
        let mut pages = counted.storage.unfinished(context, &path("/s")).await.unwrap();
        pages.next().await.unwrap().unwrap().len()
    };
    let expected = ["HEAD", "GET list", "GET blocklist"].map(str::to_owned).to_vec();
    assert_eq!(counted.of(listed).await, (expected, 1));
    let abandoned = counted.of(counted.storage.abandon(context, &file)).await;
    assert_eq!(abandoned.0, ["GET", "GET blocklist", "DELETE"]);
    abandoned.1.unwrap();
    keep().await;
    let tree = path("/s");
    let deleted = counted.of(counted.storage.delete(context, &tree, DeleteOptions::tree())).await;
    assert_eq!(deleted.0, ["DELETE", "GET list", "DELETE", "GET list", "DELETE"]);
}

#[tokio::test]
async fn sessions_are_listed_by_their_markers() {
    let counted = Counted::new().await;
    for name in ["/u/a", "/u/b"] {
        let mut writer = counted.storage.writer(&counted.context, &path(name), WriteOptions::default()).await.unwrap();
        writer.write(&counted.context, Bytes::from_static(b"few")).await.unwrap();
        writer.close(&counted.context).await.unwrap();
    }
    let list = async {
        let mut pages = counted.storage.unfinished(&counted.context, &path("/u")).await.unwrap();
        pages.next().await.unwrap().unwrap()
    };
    let (requests, sessions) = counted.of(list).await;
    assert_eq!((requests, sessions.len()), (vec!["HEAD".to_owned(), "GET list".to_owned()], 2));
    assert_eq!(counted.of(counted.storage.abandon(&counted.context, &path("/u/a"))).await.0, ["GET", "DELETE"]);
}

#[tokio::test]
async fn deletes_of_many_cost_one_each_and_a_tree_four_more() {
    let counted = Counted::new().await;
    let files: Vec<_> = (0..5).map(|number| path(&format!("/d/{number}"))).collect();
    for file in &files {
        counted.put(file, Bytes::new()).await;
    }
    let batch = counted.storage.delete_files(&counted.context, files[..2].to_vec());
    assert_eq!(counted.of(batch).await.0, ["DELETE"; 2]);
    let (mut requests, answer) =
        counted.of(counted.storage.delete(&counted.context, &path("/d"), DeleteOptions::tree())).await;
    answer.unwrap();
    requests.sort();
    assert_eq!(requests, ["DELETE", "DELETE", "DELETE", "DELETE", "DELETE", "GET list", "GET list"]);
}
