//! What is particular to answers that were lost, blocks that are sent again, copies that take their time, and streams that
//! break. The drills of every request are beside this.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

mod support;

use std::time::Duration;

use bytes::Bytes;
use driver_api::layers::Retry as RetryLayer;
use driver_api::{
    ByteRange, CommitOptions, Condition, Context, DeleteOptions, ErrorKind, FileWriter, GetOptions, ListOptions,
    PutOptions, ReadOptions, Retry, Storage, StorageDriver, StoragePath, WriteOptions, Writer, WriterError,
};
use driver_azure::{AzureDriver, AzureOptions};

use support::Azurite;
use support::proxy::{Fate, Proxy};

const BLOCK: usize = 64 * 1024;
/// Long enough for a machine under load to answer, and short enough to wait for where nothing answers.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The same root directory, through a proxy and past it.
struct Bench {
    proxy: Proxy,
    options: AzureOptions,
    proxied: Storage,
    direct: Storage,
}

impl Bench {
    async fn new() -> Self {
        let azurite = Azurite::get();
        let proxy = Proxy::start(&azurite.endpoint).await;
        let mut options = azurite.options();
        options.block_size = BLOCK as u64;
        let direct = Storage::new(AzureDriver::new(&options).unwrap());
        options.answer_timeout = PATIENCE;
        options.service_url = Some(proxy.endpoint().clone());
        let proxied = Storage::new(AzureDriver::new(&options).unwrap());
        Self { proxy, options, proxied, direct }
    }

    async fn content(&self, path: &StoragePath) -> Option<Bytes> {
        match self.direct.get(&context(), path, GetOptions::default()).await {
            Ok((_, bytes)) => Some(bytes),
            Err(error) if error.is_not_found() => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn put(&self, path: &StoragePath, content: &Bytes) {
        self.direct.put(&context(), path, content.clone(), PutOptions::default()).await.unwrap();
    }
}

fn context() -> Context {
    Context::background()
}

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

#[tokio::test]
async fn a_put_of_which_the_answer_was_lost_finds_out() {
    let bench = Bench::new().await;
    for condition in [Condition::None, Condition::IfAbsent] {
        let file = path(&format!("/{condition:?}"));
        bench.proxy.take();
        bench.proxy.next([Fate::LoseAnswer]);
        let options = PutOptions::default().with_condition(condition);
        let info = bench.proxied.put(&context(), &file, "content", options).await.unwrap();
        assert_eq!(bench.proxy.take(), ["PUT", "HEAD"]);
        assert_eq!(bench.direct.stat(&context(), &file).await.unwrap().into_file().unwrap(), info);
    }
}

#[tokio::test]
async fn a_delete_of_which_the_answer_was_lost_is_not_claimed_to_have_found_nothing() {
    let bench = Bench::new().await;
    bench.put(&path("/file"), &Bytes::new()).await;
    bench.proxy.next([Fate::LoseAnswer]);
    let retried = bench.proxied.layered(RetryLayer::default());
    let error = retried.delete(&context(), &path("/file"), DeleteOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied));
}

/// Writes in pieces, trying again what says that it is safe.
async fn write_all(mut writer: Writer, content: &Bytes) -> Writer {
    let mut rest = content.clone();
    while !rest.is_empty() {
        let (before, chunk) = (writer.size(), rest.slice(..rest.len().min(BLOCK)));
        if let Err(error) = writer.write(&context(), chunk.clone()).await {
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe), "{error}");
        }
        match writer.size() - before {
            0 => {}
            accepted => rest = rest.slice(accepted as usize..),
        }
    }
    writer
}

async fn commit(writer: Writer) -> Bytes {
    let mut writer = writer;
    for _ in 0..20 {
        match writer.commit(&context(), CommitOptions::default()).await {
            Ok(info) => return Bytes::from(info.path.to_string()),
            Err(WriterError { error, writer: again }) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                writer = *again.unwrap();
            }
        }
    }
    panic!("the commit never succeeded");
}

#[tokio::test]
async fn blocks_that_fail_are_sent_again_and_nothing_is_lost_or_doubled() {
    let bench = Bench::new().await;
    let content: Bytes = (0..5 * BLOCK as u32).map(|number| (number / 7) as u8).collect::<Vec<_>>().into();
    for fate in [Fate::Break, Fate::LoseAnswer, Fate::Answer(503, "ServerBusy"), Fate::Answer(500, "OperationTimedOut")]
    {
        let file = path("/file");
        let writer = bench.proxied.writer(&context(), &file, WriteOptions::default()).await.unwrap();
        bench.proxy.next([Fate::Pass, fate.clone(), fate.clone(), Fate::Pass, fate.clone()]);
        let writer = write_all(writer, &content).await;
        assert_eq!(writer.size(), content.len() as u64);
        commit(writer).await;
        assert_eq!(bench.content(&file).await.unwrap(), content, "{fate:?}");
        bench.proxy.next([]);
    }
}

#[tokio::test]
async fn a_commit_that_is_tried_again_after_a_lost_answer_knows_its_own_work() {
    let bench = Bench::new().await;
    let file = path("/file");
    let mut writer = bench.proxied.writer(&context(), &file, WriteOptions::default()).await.unwrap();
    writer.write(&context(), vec![1; 2 * BLOCK + 1].into()).await.unwrap();
    // Three blocks pass; the answer to their list is lost, and so is the look at what became of it.
    bench.proxy.next([Fate::Pass, Fate::Pass, Fate::Pass, Fate::LoseAnswer, Fate::Break]);
    let condition = CommitOptions::default().with_condition(Condition::IfAbsent);
    let WriterError { error, writer } = writer.commit(&context(), condition.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied));
    let info = writer.unwrap().commit(&context(), condition).await.unwrap();
    assert_eq!(info.size, 2 * BLOCK as u64 + 1);
}

/// A writer of the driver itself, past what `Storage` sees to, with `size` bytes and a commit that published and does not know.
async fn unsure(bench: &Bench, file: &StoragePath, size: usize) -> Box<dyn FileWriter> {
    let mut options = bench.options.clone();
    options.service_url = Some(bench.proxy.endpoint().clone());
    options.answer_timeout = PATIENCE;
    let driver = AzureDriver::new(&options).unwrap();
    let mut writer = driver.writer(&context(), file, WriteOptions::default()).await.unwrap();
    writer.write(&context(), vec![1; size].into()).await.unwrap();
    let requests = if size > BLOCK { size.div_ceil(BLOCK) } else { 0 };
    let fates = std::iter::repeat_n(Fate::Pass, requests).chain([Fate::LoseAnswer, Fate::Break]);
    bench.proxy.next(fates);
    let error = writer.commit(&context(), CommitOptions::default()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::MaybeApplied);
    assert_eq!(bench.content(file).await.unwrap().len(), size, "the commit did not publish");
    writer
}

#[tokio::test]
async fn a_commit_does_not_claim_bytes_that_came_after_one_without_an_answer() {
    let bench = Bench::new().await;
    for size in [5, 2 * BLOCK + 1] {
        let file = path(&format!("/{size}"));
        let mut writer = unsure(&bench, &file, size).await;
        writer.write(&context(), vec![2; 7].into()).await.unwrap();
        // In blocks the answer is an error: those of the first part are in a file, and gone as blocks.
        if let Ok(info) = writer.commit(&context(), CommitOptions::default()).await {
            assert_eq!(info.size, size as u64 + 7);
            assert_eq!(bench.content(&file).await.unwrap().len(), size + 7);
        }
    }
}

#[tokio::test]
async fn a_put_that_failed_is_not_taken_for_the_shorter_one_before_it() {
    let bench = Bench::new().await;
    let file = path("/file");
    let mut writer = unsure(&bench, &file, 5).await;
    writer.write(&context(), vec![2; 7].into()).await.unwrap();
    // Between two looks at what is there.
    bench.proxy.next([Fate::Pass, Fate::Answer(500, "InternalError"), Fate::Pass]);
    let error = writer.commit(&context(), CommitOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied));
    assert_eq!(writer.commit(&context(), CommitOptions::default()).await.unwrap().size, 12);
}

#[tokio::test]
async fn a_close_does_not_claim_to_keep_what_a_commit_has_published() {
    let bench = Bench::new().await;
    for size in [5, 2 * BLOCK + 1] {
        let file = path(&format!("/{size}"));
        let mut writer = unsure(&bench, &file, size).await;
        let error = writer.close(&context()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Conflict, Retry::MaybeApplied));
        assert_eq!(writer.commit(&context(), CommitOptions::default()).await.unwrap().size, size as u64);
    }
}

#[tokio::test]
async fn a_large_put_begins_again_where_another_one_discarded_its_blocks() {
    const LARGE: usize = (64 << 20) + 1;
    let bench = Bench::new().await;
    let mut options = bench.options.clone();
    (options.block_size, options.service_url) = (32 << 20, Some(bench.proxy.endpoint().clone()));
    let storage = Storage::new(AzureDriver::new(&options).unwrap());
    let content = Bytes::from(vec![7; LARGE]);
    let discarded = [Fate::Pass, Fate::Pass, Fate::Pass, Fate::Answer(400, "InvalidBlockList")];
    bench.proxy.next(discarded.clone());
    let put = storage.put(&context(), &path("/file"), content.clone(), PutOptions::default()).await.unwrap();
    assert_eq!((put.size, bench.proxy.take().len()), (LARGE as u64, 8));
    bench.proxy.next(discarded);
    let if_match = PutOptions::default().with_condition(Condition::IfMatch(put.version.unwrap()));
    let error = storage.put(&context(), &path("/file"), content, if_match).await.unwrap_err();
    assert_eq!((error.kind(), bench.proxy.take().len()), (ErrorKind::Conflict, 4));
}

#[tokio::test]
async fn a_session_is_resumed_however_busy_others_are() {
    let bench = Bench::new().await;
    let keep = async |file: &str| {
        let mut writer = bench.proxied.writer(&context(), &path(file), WriteOptions::default()).await.unwrap();
        writer.write(&context(), "kept".into()).await.unwrap();
        writer.close(&context()).await.unwrap();
    };
    let resume = async |file: &str| {
        let writer = bench.proxied.writer(&context(), &path(file), WriteOptions::append()).await.unwrap();
        assert_eq!(writer.close(&context()).await.unwrap(), 4);
    };
    tokio::join!(keep("/a"), keep("/b"));
    bench.proxy.take();
    // Each read takes as long as the other's, so that each ends while the other goes on.
    bench.proxy.next(std::iter::repeat_n(Fate::Delay(Duration::from_millis(20)), 10_000));
    let busy = async {
        loop {
            resume("/a").await;
        }
    };
    tokio::select! {
        () = busy => {}
        () = async { for _ in 0..10 { resume("/b").await } } => {}
    }
    let requests = bench.proxy.take().len();
    assert!(requests <= 60, "{requests} requests for ten times two reads, beside as many");
}

#[tokio::test]
async fn a_stream_that_breaks_or_stalls_goes_on_where_it_was() {
    let bench = Bench::new().await;
    let content: Bytes = (0..300_000_u32).map(|number| (number / 5) as u8).collect::<Vec<_>>().into();
    bench.put(&path("/file"), &content).await;
    let retried = bench.proxied.layered(RetryLayer::default());
    for fate in [Fate::CutBody(100_000), Fate::StallBody(100_000), Fate::CutBody(0), Fate::Break] {
        bench.proxy.next([fate.clone()]);
        let reader = retried.reader(&context(), &path("/file"), ReadOptions::default()).await.unwrap();
        assert_eq!(reader.read_to_end(u64::MAX).await.unwrap(), content, "{fate:?}");
        bench.proxy.next([fate.clone()]);
        let (_, whole) = retried.get(&context(), &path("/file"), GetOptions::default()).await.unwrap();
        assert_eq!(whole, content, "{fate:?}");
    }
    // Without the layer it is an error, and never a short read.
    bench.proxy.next([Fate::CutBody(100_000)]);
    let reader = bench.proxied.reader(&context(), &path("/file"), ReadOptions::default()).await.unwrap();
    assert_eq!(reader.read_to_end(u64::MAX).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_copy_that_takes_its_time_is_awaited_and_given_up_past_its_deadline() {
    const PENDING: Fate = Fate::Rewrite("x-ms-copy-status: success", "x-ms-copy-status: pending");
    let bench = Bench::new().await;
    let (from, to) = (path("/from"), path("/to"));
    bench.put(&from, &Bytes::from_static(b"content")).await;
    bench.proxy.take();
    bench.proxy.next([Fate::Pass, PENDING, PENDING, PENDING]);
    bench.proxied.move_to(&context(), &from, &to).await.unwrap();
    assert_eq!(bench.proxy.take(), ["HEAD", "PUT", "HEAD", "HEAD", "HEAD", "DELETE"]);
    assert_eq!((bench.content(&from).await, bench.content(&to).await), (None, Some(Bytes::from_static(b"content"))));

    let mut options = bench.options.clone();
    options.copy_timeout = Duration::from_millis(300);
    let impatient = Storage::new(AzureDriver::new(&options).unwrap());
    bench.proxy.next(std::iter::once(Fate::Pass).chain(std::iter::repeat_n(PENDING, 50)));
    let error = impatient.move_to(&context(), &to, &from).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied));
    assert_eq!(bench.content(&to).await, Some(Bytes::from_static(b"content")), "the source is gone");
    let requests = bench.proxy.take();
    assert_eq!(requests[requests.len() - 2..], ["PUT copy", "HEAD"]);
}

#[tokio::test]
async fn a_copy_past_its_deadline_is_aborted() {
    const PENDING: Fate = Fate::Rewrite("x-ms-copy-status: success", "x-ms-copy-status: pending");
    const ABORTED: Fate = Fate::Rewrite("x-ms-copy-status: success", "x-ms-copy-status: aborted");
    let bench = Bench::new().await;
    let (from, to) = (path("/from"), path("/to"));
    let mut options = bench.options.clone();
    options.copy_timeout = Duration::from_millis(1);
    let impatient = Storage::new(AzureDriver::new(&options).unwrap());
    bench.put(&from, &Bytes::from_static(b"content")).await;
    bench.proxy.take();
    bench.proxy.next([Fate::Pass, PENDING, PENDING, Fate::Answer(204, ""), ABORTED]);
    let error = impatient.move_to(&context(), &from, &to).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied));
    assert_eq!(bench.proxy.take(), ["HEAD", "PUT", "HEAD", "PUT copy", "HEAD", "DELETE"]);
    assert_eq!((bench.content(&from).await, bench.content(&to).await), (Some(Bytes::from_static(b"content")), None));

    // It was done when it should have been aborted: the service says that there is nothing to abort, and of which copy.
    bench.proxy.statuses();
    bench.proxy.next([Fate::Pass, PENDING, PENDING]);
    impatient.move_to(&context(), &from, &to).await.unwrap();
    assert_eq!(bench.proxy.take(), ["HEAD", "PUT", "HEAD", "PUT copy", "HEAD", "DELETE"]);
    assert_eq!(bench.proxy.statuses(), [200, 202, 200, 409, 200, 202]);
}

#[tokio::test]
async fn a_copy_that_nobody_can_look_at_is_not_awaited_to_its_deadline() {
    let bench = Bench::new().await;
    let (from, to) = (path("/from"), path("/to"));
    bench.put(&from, &Bytes::from_static(b"content")).await;
    bench.proxy.take();
    let refused = std::iter::repeat_n(Fate::Answer(403, "AuthorizationFailure"), 50);
    bench.proxy.next([Fate::Pass, Fate::LoseAnswer].into_iter().chain(refused));
    let error = bench.proxied.move_to(&context(), &from, &to).await.unwrap_err();
    assert_eq!(error.retry(), Retry::MaybeApplied);
    assert_eq!(bench.proxy.take().len(), 2 + 8);
    assert_eq!(bench.content(&from).await, Some(Bytes::from_static(b"content")));
}

#[tokio::test]
async fn a_copy_that_failed_leaves_the_source_and_nothing_that_could_be_taken_for_the_file() {
    const FAILED: Fate = Fate::Rewrite("x-ms-copy-status: success", "x-ms-copy-status: failed");
    let bench = Bench::new().await;
    let (from, to) = (path("/from"), path("/to"));
    bench.put(&from, &Bytes::from_static(b"content")).await;
    bench.proxy.take();
    bench.proxy.next([Fate::Pass, FAILED, FAILED]);
    let error = bench.proxied.move_to(&context(), &from, &to).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::MaybeApplied));
    assert_eq!(bench.proxy.take(), ["HEAD", "PUT", "HEAD", "DELETE"]);
    assert_eq!((bench.content(&from).await, bench.content(&to).await), (Some(Bytes::from_static(b"content")), None));
}

#[tokio::test]
async fn a_file_whose_copy_is_not_whole_is_not_read() {
    const PENDING: Fate = Fate::Rewrite("x-ms-copy-status: success", "x-ms-copy-status: pending");
    const FAILED: Fate = Fate::Rewrite("x-ms-copy-status: success", "x-ms-copy-status: aborted");
    let bench = Bench::new().await;
    let (from, to) = (path("/from"), path("/to"));
    bench.put(&from, &Bytes::from_static(b"content")).await;
    bench.direct.move_to(&context(), &from, &to).await.unwrap();
    for (fate, kind) in [(PENDING, ErrorKind::Unavailable), (FAILED, ErrorKind::Corrupt)] {
        bench.proxy.next([fate.clone(), fate.clone(), fate]);
        let stat = bench.proxied.stat(&context(), &to).await.unwrap_err();
        let get = bench.proxied.get(&context(), &to, GetOptions::default()).await.unwrap_err();
        let read = bench.proxied.reader(&context(), &to, ReadOptions::default()).await.unwrap_err();
        assert_eq!([stat.kind(), get.kind(), read.kind()], [kind; 3]);
    }
    assert_eq!(bench.proxied.get(&context(), &to, GetOptions::default()).await.unwrap().1, "content");
}

#[tokio::test]
async fn a_copy_from_where_the_service_cannot_read_is_no_missing_file() {
    let bench = Bench::new().await;
    bench.put(&path("/from"), &Bytes::new()).await;
    bench.proxy.next([Fate::Pass, Fate::Answer(404, "CannotVerifyCopySource")]);
    let error = bench.proxied.move_to(&context(), &path("/from"), &path("/to")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Misconfigured && error.message().contains("service URL"), "{error}");
}

#[tokio::test]
async fn an_answer_of_another_range_or_version_is_no_answer() {
    const SHIFTED: Fate = Fate::Rewrite("bytes 2-4/10", "bytes 0-2/10");
    const WHOLE: Fate = Fate::Rewrite("content-range: bytes 2-4/10", "x-no-range: 0");
    const OTHER: Fate = Fate::Rewrite("etag: \"0x", "etag: \"0y");
    let bench = Bench::new().await;
    let file = path("/file");
    bench.put(&file, &Bytes::from_static(b"0123456789")).await;
    let range = ByteRange::span(2, 3);
    for fate in [SHIFTED, WHOLE] {
        bench.proxy.next([fate.clone(), fate.clone()]);
        let get = bench.proxied.get(&context(), &file, GetOptions::default().with_range(range)).await;
        let read = bench.proxied.reader(&context(), &file, ReadOptions::default().with_range(range)).await;
        let kinds = [get.map(drop).unwrap_err().kind(), read.map(drop).unwrap_err().kind()];
        assert_eq!(kinds, [ErrorKind::Unavailable; 2], "{fate:?}");
    }
    let version = bench.direct.stat(&context(), &file).await.unwrap().into_file().unwrap().version.unwrap();
    let options = ReadOptions::default().with_if_match(version);
    bench.proxied.reader(&context(), &file, options.clone()).await.unwrap();
    bench.proxy.next([OTHER]);
    assert_eq!(bench.proxied.reader(&context(), &file, options).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_range_that_is_refused_and_said_to_be_there_is_asked_for_twice_at_most() {
    let bench = Bench::new().await;
    bench.put(&path("/file"), &Bytes::from_static(b"0123456789")).await;
    bench.proxy.take();
    bench.proxy.next((0..50).flat_map(|_| [Fate::Answer(416, "InvalidRange"), Fate::Pass]));
    let error = bench.proxied.get(&context(), &path("/file"), GetOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(bench.proxy.take(), ["GET", "HEAD", "GET", "HEAD"]);
}

#[tokio::test]
async fn ranges_that_no_header_can_name_are_answered() {
    let bench = Bench::new().await;
    bench.put(&path("/file"), &Bytes::from_static(b"0123456789")).await;
    let get = async |range| {
        let options = GetOptions::default().with_range(range);
        bench.proxied.get(&context(), &path("/file"), options).await.map(|(_, bytes)| bytes)
    };
    assert_eq!(get(ByteRange::span(7, u64::MAX)).await.unwrap(), "789");
    assert_eq!(get(ByteRange::from(u64::MAX)).await.unwrap_err().kind(), ErrorKind::InvalidRange);
}

#[tokio::test]
async fn a_tier_that_nobody_knows_is_no_reason_to_refuse_a_file() {
    const HEADER: Fate = Fate::Rewrite("x-ms-access-tier: Hot", "x-ms-access-tier: Odd");
    const ELEMENT: Fate = Fate::Rewrite("<AccessTier>Hot<", "<AccessTier>Odd<");
    let bench = Bench::new().await;
    bench.put(&path("/file"), &Bytes::from_static(b"content")).await;
    bench.proxy.next([HEADER, HEADER, ELEMENT]);
    assert_eq!(bench.proxied.stat(&context(), &path("/file")).await.unwrap().into_file().unwrap().size, 7);
    assert_eq!(bench.proxied.get(&context(), &path("/file"), GetOptions::default()).await.unwrap().1, "content");
    let listing = bench.proxied.list(&context(), &StoragePath::root(), ListOptions::default()).await.unwrap();
    assert_eq!(listing.collect().await.unwrap().len(), 1);
}

#[tokio::test]
async fn refusals_are_of_the_right_kind() {
    let bench = Bench::new().await;
    for (status, code, kind) in [
        (403, "AuthenticationFailed", ErrorKind::PermissionDenied),
        (404, "ContainerNotFound", ErrorKind::Misconfigured),
        (404, "", ErrorKind::Unavailable),
        (412, "LeaseIdMissing", ErrorKind::Conflict),
        (429, "", ErrorKind::Unavailable),
        (503, "ServerBusy", ErrorKind::Unavailable),
        (404, "BlobNotFound", ErrorKind::NotFound),
    ] {
        // A stat of a missing blob asks twice.
        bench.proxy.next([Fate::Answer(status, code), Fate::Answer(status, code)]);
        let got = bench.proxied.get(&context(), &path("/file"), GetOptions::default()).await.unwrap_err();
        assert_eq!(got.kind(), kind, "{status} {code}: {got}");
        bench.proxy.next([]);
    }
}

#[tokio::test]
async fn a_throttled_call_is_repeated_and_a_refused_port_is_told_at_once() {
    let bench = Bench::new().await;
    let retried = bench.proxied.layered(RetryLayer::default());
    bench.proxy.next([Fate::Answer(503, "ServerBusy"), Fate::Answer(503, "ServerBusy")]);
    retried.put(&context(), &path("/file"), "content", PutOptions::default()).await.unwrap();

    let mut options = bench.options.clone();
    let closed = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    options.service_url.as_mut().unwrap().set_port(Some(closed.port())).unwrap();
    let unreachable = Storage::new(AzureDriver::new(&options).unwrap());
    let error = unreachable.put(&context(), &path("/file"), "content", PutOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe), "{error}");
}
