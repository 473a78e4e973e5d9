//! The addresses of AWS, as Amazon publishes them, read again from time to time.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::TryStreamExt;
use ipnet::IpNet;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use url::Url;

/// Where Amazon publishes them.
const PUBLISHED: &str = "https://ip-ranges.amazonaws.com/ip-ranges.json";
/// The list has some 2 MB.
const MOST_BYTES: usize = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
/// After how long a list is asked for again that did not come.
const RETRY: Duration = Duration::from_secs(60);

/// Address ranges, none until the list has come for the first time.
#[derive(Debug)]
pub(super) struct AddressRanges {
    /// Sorted, and none within another.
    known: watch::Receiver<Vec<IpNet>>,
    updates: AbortHandle,
}

impl Drop for AddressRanges {
    fn drop(&mut self) {
        self.updates.abort();
    }
}

impl AddressRanges {
    /// The ranges of some regions, of all where none is named, as the list at `address` has them. It needs a runtime.
    ///
    /// Errors: an address that is none.
    pub(super) fn watch(address: Option<&str>, regions: Vec<String>, every: Duration) -> Result<Self, String> {
        let address = Url::parse(address.filter(|address| !address.is_empty()).unwrap_or(PUBLISHED));
        let address = address.map_err(|error| format!("`iprangesurl` is no address: {error}"))?;
        let (published, known) = watch::channel(Vec::new());
        let updates = tokio::spawn(async move {
            loop {
                let pause = match read(&address, &regions).await {
                    Ok(ranges) => {
                        published.send_replace(ranges);
                        every
                    }
                    Err(error) => {
                        tracing::warn!(%address, error, "the addresses of AWS were not read; those known stay");
                        RETRY.min(every)
                    }
                };
                tokio::time::sleep(pause.max(Duration::from_secs(1))).await;
            }
        });
        Ok(Self { known, updates: updates.abort_handle() })
    }

    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let known = self.known.borrow();
        let behind = known.partition_point(|range| range.network() <= address);
        known.get(..behind).and_then(<[_]>::last).is_some_and(|range| range.contains(&address))
    }
}

async fn read(address: &Url, regions: &[String]) -> Result<Vec<IpNet>, String> {
    let told = |error: reqwest::Error| error.without_url().to_string();
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(told)?;
    let answer = client.get(address.clone()).send().await.and_then(|answer| answer.error_for_status()).map_err(told)?;
    let mut content = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.try_next().await.map_err(told)? {
        if content.len() + chunk.len() > MOST_BYTES {
            return Err(format!("the list has more than {MOST_BYTES} bytes"));
        }
        content.extend_from_slice(&chunk);
    }
    parse(&content, regions)
}

#[derive(Deserialize)]
struct Published {
    #[serde(default)]
    prefixes: Vec<Prefix>,
    #[serde(default)]
    ipv6_prefixes: Vec<Prefix>,
}

#[derive(Deserialize)]
struct Prefix {
    #[serde(alias = "ip_prefix", alias = "ipv6_prefix")]
    range: IpNetText,
    region: String,
}

/// A range, where it is one: a list may come to have what is none.
struct IpNetText(Option<IpNet>);

impl<'de> Deserialize<'de> for IpNetText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.parse::<IpNet>().ok().map(|range| range.trunc())))
    }
}

fn parse(content: &[u8], regions: &[String]) -> Result<Vec<IpNet>, String> {
    let published: Published =
        serde_json::from_slice(content).map_err(|error| format!("the list is not what Amazon publishes: {error}"))?;
    let is_wanted =
        |region: &str| regions.is_empty() || regions.iter().any(|wanted| wanted.eq_ignore_ascii_case(region));
    let all = published.prefixes.into_iter().chain(published.ipv6_prefixes);
    let ranges: Vec<_> = all.filter(|prefix| is_wanted(&prefix.region)).filter_map(|prefix| prefix.range.0).collect();
    let mut ranges = IpNet::aggregate(&ranges);
    ranges.sort_by_key(IpNet::network);
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const LIST: &str = r#"{"syncToken": "1", "prefixes": [
        {"ip_prefix": "192.0.2.0/25", "region": "eu-west-1", "service": "AMAZON"},
        {"ip_prefix": "192.0.2.128/25", "region": "eu-west-1", "service": "S3"},
        {"ip_prefix": "198.51.100.7/32", "region": "us-east-1", "service": "EC2"},
        {"ip_prefix": "of another kind", "region": "eu-west-1", "service": "EC2"}],
        "ipv6_prefixes": [{"ipv6_prefix": "2001:db8::/32", "region": "eu-west-1", "service": "EC2"}]}"#;

    impl AddressRanges {
        /// Ranges that stay as they are.
        pub(in super::super) fn fixed(known: Vec<IpNet>) -> Self {
            let updates = tokio::spawn(std::future::pending::<()>()).abort_handle();
            Self { known: watch::channel(known).1, updates }
        }
    }

    fn contains(ranges: &AddressRanges, address: &str) -> bool {
        ranges.contain(address.parse().unwrap())
    }

    #[tokio::test]
    async fn addresses_of_the_wanted_regions_are_known() {
        let all = AddressRanges::fixed(parse(LIST.as_bytes(), &[]).unwrap());
        assert_eq!(all.known.borrow().len(), 3, "two halves are one");
        for address in ["192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8::1"] {
            assert!(contains(&all, address), "{address}");
        }
        for address in ["0.0.0.0", "192.0.1.255", "192.0.3.0", "198.51.100.8", "255.255.255.255", "::", "2001:db9::"] {
            assert!(!contains(&all, address), "{address}");
        }
        let some = AddressRanges::fixed(parse(LIST.as_bytes(), &["EU-west-1".to_owned()]).unwrap());
        assert!(contains(&some, "192.0.2.1") && !contains(&some, "198.51.100.7"));
        assert!(!contains(&AddressRanges::fixed(Vec::new()), "192.0.2.1"));
        assert!(parse(b"<html>", &[]).is_err());
    }

    #[tokio::test]
    async fn a_list_is_read_from_where_it_is_published() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            for status in ["503 Busy", "200 OK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", LIST.len());
                stream.write_all((head + LIST).as_bytes()).await.unwrap();
            }
        });
        // What failed is tried again.
        let mut ranges = AddressRanges::watch(Some(&address), Vec::new(), Duration::from_secs(1)).unwrap();
        assert!(!contains(&ranges, "192.0.2.1"));
        ranges.known.changed().await.unwrap();
        assert!(contains(&ranges, "192.0.2.1"));
        serving.await.unwrap();
    }
}
