//! One of the clients: it has a repository of its own, and knows what must be in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use blobstore::{Digest, media_type};
use fastrand::Rng;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RANGE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::contents::Content;
use crate::pusher::{Counts, LONGEST_REQUEST, Pusher, Trouble};

/// So many of a hundred requests are cut off.
const CUTS: u8 = 7;
/// It keeps at most so many images.
const MOST_IMAGES: usize = 10;

/// Storages tell the age of things in whole seconds.
const ROUNDING: Duration = Duration::from_secs(2);

/// How long the server leaves alone what nobody may need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    pub(super) garbage: Duration,
    pub(super) uploads: Duration,
}

/// How often what was done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: BTreeMap<&'static str, usize>,
    pub(super) cut: usize,
    pub(super) bytes: usize,
    pub(super) pushes: Counts,
}

#[derive(Debug, Clone)]
struct Image {
    digest: Digest,
    text: String,
    blobs: Vec<Content>,
    config: String,
    subject: Option<Digest>,
}

pub(super) struct Worker {
    client: Client,
    address: String,
    number: usize,
    random: Rng,
    pusher: Pusher,
    grace: Duration,
    images: Vec<Image>,
    tags: BTreeMap<String, Digest>,
    pub(super) tally: Tally,
}

async fn listed_tags(response: Response) -> BTreeSet<String> {
    let listed: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    listed["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

fn repository(number: usize) -> String {
    format!("soak/of-{number}")
}

impl Worker {
    pub(super) fn new(address: &str, number: usize, mut random: Rng, lifetimes: Lifetimes) -> Self {
        // A connection that the server closes because nothing came must not be taken for the next request.
        let client = Client::builder().pool_idle_timeout(Duration::from_secs(5)).build().unwrap();
        let pusher = Pusher::new(
            client.clone(),
            address,
            repository(number),
            random.fork(),
            Trouble::Cuts { percent: CUTS, uploads_live: lifetimes.uploads },
        );
        Self {
            client,
            address: address.to_owned(),
            number,
            random,
            pusher,
            grace: lifetimes.garbage,
            images: Vec::new(),
            tags: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// Does this and that until it is time; then takes away all that it has pushed.
    pub(super) async fn run(mut self, until: Instant) -> Tally {
        while Instant::now() < until {
            match self.random.u8(0..100) {
                0..25 => self.push().await,
                25..55 => self.pull().await,
                55..65 => self.head().await,
                65..75 => self.move_tag().await,
                75..83 => self.list().await,
                83..88 => self.leave_an_upload().await,
                88..92 => self.push_and_delete_blob().await,
                92..95 => self.untag().await,
                _ => self.delete().await,
            }
            if self.images.len() > MOST_IMAGES {
                self.delete().await;
            }
        }
        while !self.images.is_empty() {
            self.delete().await;
        }
        self.untag_what_was_cut().await;
        self.tally.pushes = self.pusher.counts;
        self.tally
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}/v2/{}/{path}", self.address, repository(self.number)))
    }

    /// The answer, which must have this status; none where the request was cut off, which only happens to those that `may_be_cut`.
    async fn send(&mut self, what: &'static str, request: RequestBuilder, may_be_cut: bool) -> Option<Response> {
        *self.tally.done.entry(what).or_default() += 1;
        if !may_be_cut || self.random.u8(0..100) >= CUTS {
            let sent = tokio::time::timeout(LONGEST_REQUEST, request.send()).await;
            return Some(sent.expect("an answer").unwrap_or_else(|error| panic!("{what}: {error:?}")));
        }
        let moment = Duration::from_micros(self.random.u64(0..20_000));
        match tokio::time::timeout(moment, request.send()).await {
            Ok(Ok(response)) => Some(response),
            Ok(Err(error)) => panic!("{what}: {error:?}"),
            Err(_) => {
                self.tally.cut += 1;
                None
            }
        }
    }

    async fn expect(&mut self, what: &'static str, request: RequestBuilder, status: u16) -> Response {
        let response = self.send(what, request, false).await.unwrap();
        if response.status().as_u16() != status {
            let (found, url) = (response.status(), response.url().clone());
            panic!("{what} {url}: {found} instead of {status}: {:?}", response.text().await);
        }
        response
    }

    async fn push(&mut self) {
        let blobs: Vec<_> = (0..self.random.usize(1..4)).map(|_| Content::by_chance(&mut self.random)).collect();
        let config = json!({ "of": self.number, "nonce": self.random.u64(..) }).to_string();
        let subject = self.any_image().filter(|_| self.random.u8(..) < 80);
        let described =
            |kind: &str, digest: Digest, size: usize| json!({"mediaType": kind, "digest": digest, "size": size});
        let layers: Vec<_> = blobs.iter().map(|blob| described("a/layer", blob.digest, blob.size)).collect();
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": layers,
            "config": described("a/config", Digest::of(config.as_bytes()), config.len()),
        });
        if let Some(subject) = &subject {
            let text = &subject.text;
            manifest["subject"] = described(media_type::OCI_MANIFEST, subject.digest, text.len());
        }
        let text = manifest.to_string();
        let subject = subject.map(|subject| subject.digest);
        let image = Image { digest: Digest::of(text.as_bytes()), text, blobs, config, subject };
        // One that is cut off is pushed again under another tag, because its end may still be going on.
        let cut_tag = format!("cut-{}", self.random.u64(..));
        let tag = format!("t{}", self.random.u8(0..8));
        let began = Instant::now();
        loop {
            let pushed = Instant::now();
            self.push_blobs(&image).await;
            if self.send_manifest(&image, &cut_tag, true, Some(pushed)).await {
                self.tags.insert(cut_tag.clone(), image.digest);
            }
            if self.send_manifest(&image, &tag, false, Some(pushed)).await {
                break;
            }
            assert!(began.elapsed() < LONGEST_REQUEST, "an image is always collected before it is named");
        }
        self.tags.insert(tag, image.digest);
        self.images.push(image);
    }

    async fn push_blobs(&mut self, image: &Image) {
        for blob in image.blobs.clone() {
            self.push_blob(blob).await;
        }
        let config = image.config.as_bytes();
        self.pusher.push_blob(config, Digest::of(config)).await;
    }

    /// In one of the ways in which clients do it.
    async fn push_blob(&mut self, blob: Content) {
        let (digest, content) = (blob.digest, blob.bytes());
        self.tally.bytes += content.len();
        match self.random.u8(0..4) {
            0 => {
                let path = format!("blobs/uploads/?digest={digest}");
                let request = self.request(Method::POST, &path).body(content.clone());
                if let Some(response) = self.send("push at once", request, true).await {
                    assert_eq!(response.status(), 201, "{:?}", response.text().await);
                    return;
                }
            }
            1 if blob.is_shared() => {
                let from = repository(self.random.usize(0..4));
                let path = format!("blobs/uploads/?mount={digest}&from={from}");
                let response = self.send("mount", self.request(Method::POST, &path), true).await;
                match response.map(|response| response.status()) {
                    Some(StatusCode::CREATED) => return,
                    Some(StatusCode::ACCEPTED) | None => {}
                    Some(status) => panic!("mount: {status}"),
                }
            }
            _ => {}
        }
        self.pusher.push_blob(&content, digest).await;
    }

    /// Whether it was pushed: it may be cut off, and blobs that nothing names yet may be collected before it comes, if they have
    /// been there for longer than garbage is left alone.
    async fn send_manifest(&mut self, image: &Image, tag: &str, may_be_cut: bool, blobs: Option<Instant>) -> bool {
        let request =
            self.request(Method::PUT, &format!("manifests/{tag}")).header(CONTENT_TYPE, media_type::OCI_MANIFEST);
        let response = self.send("push manifest", request.body(image.text.clone()), may_be_cut).await;
        let Some(response) = response else { return false };
        let status = response.status();
        if status == StatusCode::CREATED {
            return true;
        }
        let text = response.text().await.unwrap();
        let passes = blobs.is_some_and(|pushed| pushed.elapsed() + ROUNDING >= self.grace);
        assert!(status == 400 && text.contains("MANIFEST_BLOB_UNKNOWN") && passes, "{status}: {text}");
        *self.tally.done.entry("manifest behind its collected blobs").or_default() += 1;
        false
    }

    fn any_image(&mut self) -> Option<Image> {
        (!self.images.is_empty()).then(|| self.images[self.random.usize(0..self.images.len())].clone())
    }

    async fn pull(&mut self) {
        let tags: Vec<_> = self.tags.iter().map(|(tag, digest)| (tag.clone(), *digest)).collect();
        let Some((tag, digest)) = self.random.choice(tags) else { return };
        let request = self.request(Method::GET, &format!("manifests/{tag}")).header(ACCEPT, media_type::OCI_MANIFEST);
        let response = self.expect("pull manifest", request, 200).await;
        assert_eq!(Digest::of(&response.bytes().await.unwrap()), digest, "{tag}");
        let image = self.images.iter().find(|image| image.digest == digest).unwrap().clone();
        for blob in image.blobs {
            self.pull_blob(blob).await;
        }
    }

    async fn pull_blob(&mut self, blob: Content) {
        let path = format!("blobs/{}", blob.digest);
        let content = blob.bytes();
        if self.random.u8(..) < 60 && blob.size > 1 {
            let start = self.random.usize(0..blob.size - 1);
            let request = self.request(Method::GET, &path).header(RANGE, format!("bytes={start}-"));
            let response = self.expect("pull range", request, 206).await;
            assert!(response.bytes().await.unwrap() == content[start..], "{path} from {start}");
            return;
        }
        let mut response = self.expect("pull blob", self.request(Method::GET, &path), 200).await;
        let stops_behind = (self.random.u8(0..100) < CUTS).then(|| self.random.usize(0..content.len() + 1));
        let mut read = 0;
        while let Some(piece) = response.chunk().await.unwrap() {
            assert!(piece == content[read..read + piece.len()], "{path}");
            read += piece.len();
            if stops_behind.is_some_and(|end| read >= end) {
                self.tally.cut += 1;
                return;
            }
        }
        assert_eq!(read, content.len(), "{path}");
        self.tally.bytes += read;
    }

    async fn head(&mut self) {
        let Some(image) = self.any_image() else { return };
        let request = self.request(Method::HEAD, &format!("manifests/{}", image.digest));
        self.expect("head", request, 200).await;
        for blob in &image.blobs {
            let response =
                self.expect("head", self.request(Method::HEAD, &format!("blobs/{}", blob.digest)), 200).await;
            assert_eq!(response.headers()["content-length"].to_str().unwrap(), blob.size.to_string());
        }
    }

    async fn move_tag(&mut self) {
        let Some(image) = self.any_image() else { return };
        let tag = format!("t{}", self.random.u8(0..8));
        assert!(self.send_manifest(&image, &tag, false, None).await);
        self.tags.insert(tag, image.digest);
    }

    /// A push that was cut off and goes on may set its tag while its manifest is deleted. Such a tag names nothing.
    async fn untag_what_was_cut(&mut self) {
        let response = self.send("list tags", self.request(Method::GET, "tags/list"), false).await.unwrap();
        // Where nothing is left there is no repository.
        if response.status() == StatusCode::NOT_FOUND {
            return;
        }
        for tag in listed_tags(response).await.into_iter().filter(|tag| tag.starts_with("cut-")) {
            self.expect("untag", self.request(Method::DELETE, &format!("manifests/{tag}")), 202).await;
        }
    }

    async fn list(&mut self) {
        let Some(image) = self.any_image() else { return };
        let listed = listed_tags(self.expect("list tags", self.request(Method::GET, "tags/list"), 200).await).await;
        for tag in self.tags.keys() {
            assert!(listed.contains(tag), "{tag} is not listed");
        }
        // What was cut off may be there, or not.
        assert!(listed.iter().all(|tag| self.tags.contains_key(tag) || tag.starts_with("cut-")), "{listed:?}");
        let request = self.request(Method::GET, &format!("referrers/{}", image.digest));
        let response = self.expect("list referrers", request, 200).await;
        let index: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let referrers: BTreeSet<_> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["digest"].as_str().unwrap().to_owned())
            .collect();
        let own = self.images.iter().filter(|other| other.subject == Some(image.digest));
        assert_eq!(referrers, own.map(|image| image.digest.to_string()).collect());
    }

    /// Begins what nobody will go on with.
    async fn leave_an_upload(&mut self) {
        let response = self.expect("begin upload", self.request(Method::POST, "blobs/uploads/"), 202).await;
        let upload = response.url().join(response.headers()["location"].to_str().unwrap()).unwrap();
        let content = Content::by_chance(&mut self.random).bytes();
        let response = self.send("left upload", self.client.patch(upload).body(content), true).await;
        assert!(response.is_none_or(|response| response.status() == 202));
    }

    async fn push_and_delete_blob(&mut self) {
        let content = self.random.u64(..).to_string();
        let digest = Digest::of(content.as_bytes());
        self.pusher.push_blob(content.as_bytes(), digest).await;
        let path = format!("blobs/{digest}");
        self.expect("delete blob", self.request(Method::DELETE, &path), 202).await;
        self.expect("pull what is gone", self.request(Method::GET, &path), 404).await;
    }

    async fn untag(&mut self) {
        let tags: Vec<_> = self.tags.keys().cloned().collect();
        let Some(tag) = self.random.choice(tags) else { return };
        self.expect("untag", self.request(Method::DELETE, &format!("manifests/{tag}")), 202).await;
        self.tags.remove(&tag);
        self.expect("pull what is gone", self.request(Method::GET, &format!("manifests/{tag}")), 404).await;
    }

    async fn delete(&mut self) {
        if self.images.is_empty() {
            return;
        }
        let image = self.images.swap_remove(self.random.usize(0..self.images.len()));
        let path = format!("manifests/{}", image.digest);
        self.expect("delete image", self.request(Method::DELETE, &path), 202).await;
        self.tags.retain(|_, digest| *digest != image.digest);
        self.expect("pull what is gone", self.request(Method::GET, &path), 404).await;
    }
}
