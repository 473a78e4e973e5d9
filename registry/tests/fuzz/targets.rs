//! What must hold of any requests that clients send.

use blobstore::{Namespace, NamespaceOptions};
use bytes::Bytes;
use driver_api::Storage;
use driver_inmemory::MemoryDriver;
use http_body_util::{BodyExt, Full};
use registry::{Peer, Registry, RegistryOptions};

/// A target by its name.
pub(crate) type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: [Target; 1] = [("requests", requests)];

/// What stands between two requests of an input.
const BETWEEN: &[u8] = b"\n====\n";

/// One registry answers them all, one after the other; only what is stored wrongly would be its own fault, and nothing is.
pub(crate) fn requests(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = NamespaceOptions::default();
        options.delete_enabled = true;
        let storage = Storage::new(MemoryDriver::default());
        let registry = Registry::new(Namespace::new(storage, options), RegistryOptions::default());
        // An upload's address is the registry's to choose: `UPLOAD` stands for the last one that it told.
        let mut upload = String::new();
        for text in split(data, BETWEEN) {
            let Some(request) = request(text, &upload) else { continue };
            let line = format!("{} {}", request.method(), request.uri());
            let is_head = request.method() == http::Method::HEAD;
            let response = registry.handle(request, Peer::default()).await;
            let status = response.status().as_u16();
            assert!((200..500).contains(&status), "{line}: {status}");
            if let Some(location) = response.headers().get("location").filter(|_| status == 202) {
                upload = location.to_str().unwrap().to_owned();
            }
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(!is_head || body.is_empty(), "{line}: a body");
        }
    });
}

/// A request as it is written: its method and its address in a line, a line for each header, an empty line, its body. None for
/// what HTTP itself refuses.
fn request(text: &[u8], upload: &str) -> Option<http::Request<Full<Bytes>>> {
    let mut parts = text.splitn(2, |byte| *byte == b'\n');
    let line = std::str::from_utf8(parts.next()?).ok()?;
    let (method, address) = line.split_once(' ')?;
    let mut request = http::Request::builder().method(method).uri(address.replacen("UPLOAD", upload, 1));
    let mut rest = parts.next().unwrap_or_default();
    loop {
        let mut lines = rest.splitn(2, |byte| *byte == b'\n');
        let header = lines.next()?;
        rest = lines.next().unwrap_or_default();
        let Some(colon) = header.iter().position(|byte| *byte == b':') else { break };
        request = request.header(&header[..colon], header[colon + 1..].trim_ascii());
    }
    request.body(Full::new(Bytes::copy_from_slice(rest))).ok()
}

fn split<'a>(data: &'a [u8], between: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.windows(between.len()).position(|window| window == between);
        rest = end.map(|end| &text[end + between.len()..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}
