//! A client that pushes in chunks and does not give up, as real ones do not: where a request fails it asks how far the upload has
//! come, and goes on there or begins again. What was acknowledged it remembers, and complains where the registry does not.

use std::time::{Duration, Instant};

use blobstore::{Digest, media_type};
use fastrand::Rng;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, Url};
use serde_json::json;
use tokio::sync::watch;

/// A body is sent in pieces of so many bytes.
const PIECE_BYTES: usize = 32 * 1024;
/// Longer than any answer takes, even on a machine whose disk stands still for minutes.
pub(crate) const LONGEST_REQUEST: Duration = Duration::from_secs(600);
/// A registry that fails so often for one blob is broken.
const MOST_FAILURES: usize = 100;

/// Counts what is sent, so that something can be done in the middle of it.
#[derive(Clone)]
pub(crate) struct Progress(watch::Sender<u64>);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    fn made(&self) {
        self.0.send_modify(|pieces| *pieces += 1);
    }

    /// Waits until so many more pieces were sent.
    pub(crate) async fn wait_for(&self, pieces: u64) {
        let wanted = *self.0.borrow() + pieces;
        self.0.subscribe().wait_for(|made| *made >= wanted).await.unwrap();
    }
}

/// An image whose push was acknowledged.
pub(crate) struct Image {
    repository: String,
    tag: String,
    manifest: Digest,
    blobs: Vec<Digest>,
}

impl Image {
    /// Pulls it, and fails where it is not what was pushed.
    pub(crate) async fn pull(&self, address: &str) {
        let path = format!("http://{address}/v2/{}", self.repository);
        let get = async |what: String| {
            let response = reqwest::get(format!("{path}/{what}")).await.unwrap();
            assert_eq!(response.status(), 200, "{what} was acknowledged");
            Digest::of(&response.bytes().await.unwrap())
        };
        assert_eq!(get(format!("manifests/{}", self.tag)).await, self.manifest);
        for digest in &self.blobs {
            assert_eq!(get(format!("blobs/{digest}")).await, *digest);
        }
    }
}

/// How often something was asked for, failed and was done again.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    pub(crate) resumed: usize,
    pub(crate) begun_again: usize,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.requests += more.requests;
        self.failed += more.failed;
        self.resumed += more.resumed;
        self.begun_again += more.begun_again;
    }
}

/// Why a request may fail.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// Servers are killed.
    Servers,
    /// So many of a hundred requests the client itself cuts off, at some moment; the registry has no reason to fail. Uploads that
    /// are older than that are purged.
    Cuts { percent: u8, uploads_live: Duration },
}

pub(crate) struct Pusher {
    client: Client,
    address: String,
    repository: String,
    random: Rng,
    progress: Progress,
    trouble: Trouble,
    pub(crate) counts: Counts,
    /// Failures of the blob at hand.
    failures: usize,
    /// When its upload began.
    began: Instant,
}

/// What became of an attempt to push a blob.
enum Attempt {
    Pushed,
    /// The upload is gone, and nothing of it was promised.
    Again,
}

impl Pusher {
    pub(crate) fn new(client: Client, address: &str, repository: String, random: Rng, trouble: Trouble) -> Self {
        let (address, counts) = (address.to_owned(), Counts::default());
        Self {
            client,
            address,
            repository,
            random,
            progress: Progress::new(),
            trouble,
            counts,
            failures: 0,
            began: Instant::now(),
        }
    }

    /// The same, telling what it sends.
    pub(crate) fn telling(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Pushes an image with one layer of its own, of at most so many bytes.
    pub(crate) async fn push_image(&mut self, tag: String, most: usize) -> Image {
        let mut layer = vec![0; self.random.usize(10..most)];
        self.random.fill(&mut layer);
        let config = format!(r#"{{"of": "{}", "number": {}}}"#, self.repository, self.random.u64(..)).into_bytes();
        let mut described = Vec::new();
        for content in [config, layer] {
            let digest = Digest::of(&content);
            self.push_blob(&content, digest).await;
            described.push((digest, json!({"mediaType": "a/b", "digest": digest, "size": content.len()})));
        }
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": described[0].1, "layers": [described[1].1],
        });
        let text = manifest.to_string();
        let path = self.url(&format!("manifests/{tag}"));
        self.failures = 0;
        while self.put_manifest(&path, &text).await.is_none() {}
        let blobs = described.into_iter().map(|(digest, _)| digest).collect();
        Image { repository: self.repository.clone(), tag, manifest: Digest::of(text.as_bytes()), blobs }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}/v2/{}/{path}", self.address, self.repository)).unwrap()
    }

    async fn put_manifest(&mut self, url: &Url, text: &str) -> Option<()> {
        let request = self.client.put(url.clone()).header(CONTENT_TYPE, media_type::OCI_MANIFEST).body(text.to_owned());
        self.send(request, &[StatusCode::CREATED]).await.map(drop)
    }

    /// Pushes a blob in chunks, however often it takes.
    pub(crate) async fn push_blob(&mut self, content: &[u8], digest: Digest) {
        self.failures = 0;
        while let Attempt::Again = self.upload(content, digest).await {
            self.counts.begun_again += 1;
        }
    }

    /// The answer, if it is one of these; none where the request failed in a way that may pass.
    async fn send(&mut self, request: RequestBuilder, wanted: &[StatusCode]) -> Option<Response> {
        self.counts.requests += 1;
        let is_cut = matches!(self.trouble, Trouble::Cuts { percent, .. } if self.random.u8(0..100) < percent);
        let moment = if is_cut { Duration::from_micros(self.random.u64(0..30_000)) } else { LONGEST_REQUEST };
        let response = match tokio::time::timeout(moment, request.send()).await {
            Ok(Ok(response)) if wanted.contains(&response.status()) => return Some(response),
            Ok(response) => Some(response),
            Err(_) => None,
        };
        self.counts.failed += 1;
        self.failures += 1;
        assert!(self.failures < MOST_FAILURES, "{:?}", self.counts);
        match response {
            Some(Ok(response)) => self.refused(response).await,
            Some(Err(error)) => assert!(matches!(self.trouble, Trouble::Servers), "{error:?}"),
            None => assert!(is_cut, "a request was not answered"),
        }
        None
    }

    /// Waits as long as a refusal says, where there is a reason for it.
    async fn refused(&self, response: Response) {
        let status = response.status();
        let delay = response.headers().get(RETRY_AFTER).map(|delay| delay.to_str().unwrap().parse().unwrap());
        let text = response.text().await.unwrap_or_default();
        let passes = match self.trouble {
            Trouble::Servers => status.is_server_error() || status == StatusCode::CONFLICT,
            Trouble::Cuts { .. } => {
                // The request that was cut off may still be going on; or its bytes have come, or it has ended the upload, since
                // that was asked for.
                let is_behind_a_cut = self.failures > 1
                    && [StatusCode::CONFLICT, StatusCode::RANGE_NOT_SATISFIABLE, StatusCode::NOT_FOUND]
                        .contains(&status);
                // Or its purge is going on, or done.
                let is_purged = [StatusCode::CONFLICT, StatusCode::NOT_FOUND].contains(&status) && self.may_be_purged();
                is_behind_a_cut || is_purged
            }
        };
        assert!(passes, "{status}: {text}");
        tokio::time::sleep(Duration::from_secs(delay.unwrap_or_default())).await;
    }

    /// Whether the upload at hand has taken longer than uploads are kept, told in whole seconds.
    fn may_be_purged(&self) -> bool {
        let age = self.began.elapsed() + Duration::from_secs(2);
        matches!(self.trouble, Trouble::Cuts { uploads_live, .. } if age >= uploads_live)
    }

    async fn upload(&mut self, content: &[u8], digest: Digest) -> Attempt {
        self.began = Instant::now();
        let request = self.client.post(self.url("blobs/uploads/"));
        let Some(response) = self.send(request, &[StatusCode::ACCEPTED]).await else { return Attempt::Again };
        let (mut upload, mut acknowledged) = (location(&response), 0);
        let chunk = self.random.usize(20_000..content.len().max(20_001) * 2);
        loop {
            let last = acknowledged == content.len();
            let request = if last {
                let mut url = upload.clone();
                url.query_pairs_mut().append_pair("digest", &digest.to_string());
                self.client.put(url)
            } else {
                let end = content.len().min(acknowledged + chunk);
                self.patch(&upload, content, acknowledged..end)
            };
            let wanted = [if last { StatusCode::CREATED } else { StatusCode::ACCEPTED }];
            match self.send(request, &wanted).await {
                Some(_) if last => return Attempt::Pushed,
                Some(response) => (upload, acknowledged) = (location(&response), reached(&response)),
                None => match self.status(&upload).await {
                    Some((at, kept)) => {
                        // An end that was broken off may have taken the bytes along; then all are asked for again.
                        let is_right = kept >= acknowledged || (kept == 0 && (last || self.may_be_purged()));
                        assert!(is_right && kept <= content.len(), "{kept} bytes of {acknowledged}");
                        self.counts.resumed += 1;
                        (upload, acknowledged) = (at, kept);
                    }
                    // The answer may be all that was lost.
                    None if last && self.exists(digest).await => return Attempt::Pushed,
                    None => {
                        let is_right = last || acknowledged == 0 || self.may_be_purged();
                        assert!(is_right, "{acknowledged} bytes were acknowledged and are gone");
                        return Attempt::Again;
                    }
                },
            }
        }
    }

    fn patch(&mut self, upload: &Url, content: &[u8], range: std::ops::Range<usize>) -> RequestBuilder {
        let pieces: Vec<_> = content[range.clone()].chunks(PIECE_BYTES).map(<[u8]>::to_vec).collect();
        let progress = self.progress.clone();
        let pieces = stream::unfold(pieces.into_iter(), move |mut pieces| {
            progress.made();
            async move { pieces.next().map(|piece| (Ok::<_, std::io::Error>(piece), pieces)) }
        });
        let mut request = self.client.patch(upload.clone());
        if self.random.bool() {
            request = request.header(CONTENT_LENGTH, range.len());
            request = request.header(CONTENT_RANGE, format!("{}-{}", range.start, range.end - 1));
        }
        request.body(Body::wrap_stream(pieces))
    }

    /// Where an upload stands; none where there is none.
    async fn status(&mut self, upload: &Url) -> Option<(Url, usize)> {
        let found = [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND];
        loop {
            if let Some(response) = self.send(self.client.get(upload.clone()), &found).await {
                let is_there = response.status() == StatusCode::NO_CONTENT;
                return is_there.then(|| (location(&response), reached(&response)));
            }
        }
    }

    async fn exists(&mut self, digest: Digest) -> bool {
        let url = self.url(&format!("blobs/{digest}"));
        loop {
            let found = [StatusCode::OK, StatusCode::NOT_FOUND];
            if let Some(response) = self.send(self.client.head(url.clone()), &found).await {
                return response.status() == StatusCode::OK;
            }
        }
    }
}

/// The address at which an upload goes on.
fn location(response: &Response) -> Url {
    response.url().join(response.headers()[LOCATION].to_str().unwrap()).unwrap()
}

/// How many bytes an upload has, none of which has one.
fn reached(response: &Response) -> usize {
    let range = response.headers()[RANGE].to_str().unwrap();
    let last: usize = range.strip_prefix("0-").unwrap().parse().unwrap();
    if last == 0 { 0 } else { last + 1 }
}
