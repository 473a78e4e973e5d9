//! Two servers on one storage.

use blobstore::Digest;
use reqwest::header::LOCATION;
use reqwest::{Client, Method, RequestBuilder, Response};

use crate::server::Server;

/// Sends every request to the next server.
struct RoundRobin<'a> {
    client: Client,
    servers: Vec<&'a Server>,
    sent: usize,
}

impl RoundRobin<'_> {
    fn request(&mut self, method: Method, path: &str) -> RequestBuilder {
        let server = self.servers[self.sent % self.servers.len()];
        self.sent += 1;
        self.client.request(method, format!("http://{}{path}", server.address))
    }
}

/// The path of the address that an answer tells.
fn location(response: &Response) -> String {
    let location = response.headers()[LOCATION].to_str().unwrap();
    let url = reqwest::Url::parse(location).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Pushes in chunks, each of which meets another server.
async fn push(servers: &mut RoundRobin<'_>, chunks: usize, bytes: usize) -> Digest {
    let content: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(chunks * bytes).collect();
    let response = servers.request(Method::POST, "/v2/a/blobs/uploads/").send().await.unwrap();
    assert_eq!(response.status(), 202);
    let mut upload = location(&response);
    for chunk in content.chunks(bytes) {
        let response = servers.request(Method::PATCH, &upload).body(chunk.to_vec()).send().await.unwrap();
        assert_eq!(response.status(), 202, "{:?}", response.text().await);
        upload = location(&response);
    }
    let digest = Digest::of(&content);
    let response = servers.request(Method::PUT, &format!("{upload}&digest={digest}")).send().await.unwrap();
    assert_eq!(response.status(), 201, "{:?}", response.text().await);
    let response = servers.request(Method::GET, &format!("/v2/a/blobs/{digest}")).send().await.unwrap();
    assert_eq!(response.bytes().await.unwrap(), content);
    digest
}

const SECRET: &str = "http: {secret: shared}\n";

#[tokio::test]
async fn every_chunk_of_an_upload_meets_another_server() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let storage = format!(
        "{SECRET}storage: {{filesystem: {{rootdirectory: {}}}}}\n",
        directories[0].path().join("data").display()
    );
    let servers = directories.each_ref().map(|directory| Server::start(directory.path(), &storage));
    let mut all = RoundRobin { client: Client::new(), servers: servers.iter().collect(), sent: 0 };
    for _ in 0..5 {
        push(&mut all, 7, 10_000).await;
    }
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn two_servers_on_one_bucket_and_one_redis() {
    let redis = engines::Engine::start("redis").get("BLOBSTORE_REDIS_ADDRESS");
    let storage = format!(
        "{SECRET}redis: {{addr: '{redis}'}}\n{}  cache: {{blobdescriptor: redis}}\n  redirect: {{disable: true}}\n",
        crate::backends::on_engine("garage")
    );
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut servers = directories.each_ref().map(|directory| Server::start(directory.path(), &storage));
    let mut all = RoundRobin { client: Client::new(), servers: servers.iter().collect(), sent: 0 };
    let mut pushed = vec![push(&mut all, 5, 10_000).await, push(&mut all, 2, 6_000_000).await];
    // A blob that one server has seen, the other deletes: neither serves it any more.
    let gone = pushed.remove(0);
    let path = format!("/v2/a/blobs/{gone}");
    assert_eq!(all.request(Method::DELETE, &path).send().await.unwrap().status(), 202);
    for _ in 0..4 {
        assert_eq!(all.request(Method::GET, &path).send().await.unwrap().status(), 404);
    }
    // One is killed in the middle of an upload; the other goes on with what was acknowledged.
    let response = all.request(Method::POST, "/v2/a/blobs/uploads/").send().await.unwrap();
    let upload = location(&response);
    let response = all.request(Method::PATCH, &upload).body("some ").send().await.unwrap();
    assert_eq!(response.status(), 202);
    let upload = location(&response);
    drop(all);
    servers[0].kill();
    let mut left = RoundRobin { client: Client::new(), servers: vec![&servers[1]], sent: 0 };
    let digest = Digest::of(b"some content");
    let response =
        left.request(Method::PUT, &format!("{upload}&digest={digest}")).body("content").send().await.unwrap();
    assert_eq!(response.status(), 201, "{:?}", response.text().await);
    pushed.push(digest);
    for digest in pushed {
        let response = left.request(Method::GET, &format!("/v2/a/blobs/{digest}")).send().await.unwrap();
        assert_eq!(Digest::of(&response.bytes().await.unwrap()), digest);
    }
}
