//! What is particular to answers that were lost, blocks that are sent again, copies that take their time, and streams that
//! break. The drills of every request are beside this.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // This is how a test fails.

mod support;

use std::time::Duration;

use bytes::Bytes;
use driver_api::layers::Retry as RetryLayer;
use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, ErrorKind, GetOptions, PutOptions, ReadOptions, Retry, Storage,
    StoragePath, WriteOptions, Writer, WriterError,
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
}

#[tokio::test]
async fn refusals_are_of_the_right_kind() {
    let bench = Bench::new().await;
    for (status, code, kind) in [
        (403, "AuthenticationFailed", ErrorKind::PermissionDenied),
        (404, "ContainerNotFound", ErrorKind::Misconfigured),
        (404, "", ErrorKind::Misconfigured),
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
