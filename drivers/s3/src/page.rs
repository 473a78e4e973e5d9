//! A page of a listing, as the service writes it.

use std::time::SystemTime;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

use crate::bucket::{Answer, time};
use crate::errors::Failure;
use crate::keys::decoded;
use crate::xml::{self, Element};

/// A page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RawPage {
    /// The objects, and the prefixes that were rolled up, in the order of their keys.
    pub(crate) items: Vec<Item>,
    /// What continues the listing.
    pub(crate) next: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Object { key: String, size: u64, modified: SystemTime, etag: Option<String> },
    Prefix(String),
}

impl Item {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Object { key, .. } | Self::Prefix(key) => key,
        }
    }
}

/// Reads the answer of `ListObjectsV2`.
pub(crate) fn page_of(text: &str) -> Answer<RawPage> {
    let mut reading = Reading::default();
    xml::read(text, "ListBucketResult", |element| reading.take(element)).ok_or_else(Failure::misunderstood)?;
    reading.page()
}

/// A page of which a part is read.
#[derive(Default)]
struct Reading {
    items: Vec<Item>,
    next: Option<String>,
    is_encoded: bool,
    is_truncated: bool,
    /// What is read of the present entry.
    entry: Entry,
    /// What an entry had not.
    wanting: Option<&'static str>,
}

#[derive(Default)]
struct Entry {
    key: Option<String>,
    prefix: Option<String>,
    size: Option<u64>,
    modified: Option<SystemTime>,
    etag: Option<String>,
}

impl Reading {
    fn take(&mut self, element: Element<'_>) {
        let Element { depth, name, text } = element;
        match (depth, name) {
            (2, "Key") => self.entry.key = Some(text.to_owned()),
            (2, "Prefix") => self.entry.prefix = Some(text.to_owned()),
            (2, "Size") => self.entry.size = text.parse().ok(),
            (2, "LastModified") => {
                self.entry.modified =
                    DateTime::from_str(text, DateTimeFormat::DateTimeWithOffset).ok().as_ref().map(time);
            }
            (2, "ETag") => self.entry.etag = Some(text.to_owned()),
            (1, "EncodingType") => self.is_encoded = text == "url",
            (1, "IsTruncated") => match text {
                "true" | "false" => self.is_truncated = text == "true",
                _ => self.wanting = Some("end"),
            },
            (1, "NextContinuationToken") => self.next = Some(text.to_owned()).filter(|token| !token.is_empty()),
            (1, "Contents") => {
                let item = std::mem::take(&mut self.entry).object();
                self.push(item);
            }
            (1, "CommonPrefixes") => {
                let prefix = std::mem::take(&mut self.entry).prefix;
                self.push(prefix.map(Item::Prefix).ok_or("prefix"));
            }
            // What is read so far belongs to nothing that is known.
            (1, _) => self.entry = Entry::default(),
            _ => {}
        }
    }

    fn push(&mut self, item: Result<Item, &'static str>) {
        match item {
            Ok(item) => self.items.push(item),
            Err(wanting) => self.wanting = Some(wanting),
        }
    }

    fn page(self) -> Answer<RawPage> {
        let Self { mut items, next, is_encoded, is_truncated, wanting, .. } = self;
        // A listing that ends where it does not is one in which files are missing.
        let wanting = wanting.or((is_truncated && next.is_none()).then_some("continuation token"));
        if let Some(wanting) = wanting {
            return Err(Failure::incomplete(wanting));
        }
        if is_encoded {
            for Item::Object { key, .. } | Item::Prefix(key) in &mut items {
                *key = decoded(key);
            }
        }
        // Each of the two kinds is in order, which makes this a merge.
        items.sort_by(|a, b| a.key().cmp(b.key()));
        Ok(RawPage { items, next })
    }
}

impl Entry {
    /// The object, or what it has not.
    fn object(self) -> Result<Item, &'static str> {
        Ok(Item::Object {
            key: self.key.ok_or("key")?,
            size: self.size.ok_or("size")?,
            modified: self.modified.ok_or("time")?,
            etag: self.etag,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OBJECT: &str = "<Contents><Key>my+root/%C3%A9</Key><LastModified>2026-11-29T08:00:00.750Z</LastModified>\
        <ETag>&quot;e&quot;</ETag><Owner><ID>o</ID><Key>no</Key></Owner><Size>3</Size><StorageClass>STANDARD</StorageClass>\
        </Contents>";

    fn page(inner: &str) -> Answer<RawPage> {
        let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
        page_of(&format!("<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"{namespace}\">{inner}</ListBucketResult>"))
    }

    fn object(key: &str) -> Item {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_939_200);
        Item::Object { key: key.to_owned(), size: 3, modified, etag: Some("\"e\"".to_owned()) }
    }

    #[test]
    fn objects_and_prefixes_are_merged() {
        let rest = "<Prefix>my+root/</Prefix><CommonPrefixes><Prefix>my+root/a/</Prefix></CommonPrefixes><IsTruncated>true\
            </IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>";
        let read = page(&format!("{OBJECT}{rest}<EncodingType>url</EncodingType>")).unwrap();
        let prefix = Item::Prefix("my root/a/".to_owned());
        assert_eq!(read, RawPage { items: vec![prefix, object("my root/\u{e9}")], next: Some("t&1".to_owned()) });
        // Some services do not encode, whatever they are asked.
        assert_eq!(page(OBJECT).unwrap().items, [object("my+root/%C3%A9")]);
        assert_eq!(page("<NextContinuationToken/><IsTruncated>false</IsTruncated>").unwrap(), RawPage::default());
    }

    #[test]
    fn what_lacks_something_is_no_page() {
        for inner in [
            "<IsTruncated>true</IsTruncated>".to_owned(),
            "<IsTruncated>True</IsTruncated>".to_owned(),
            format!("<Other><Size>3</Size></Other>{}", OBJECT.replace("Size>", "Length>")),
            "<CommonPrefixes/>".to_owned(),
            OBJECT.replace("Key>", "Name>"),
            OBJECT.replace("<Size>3", "<Size>3.5"),
            OBJECT.replace("2026", "then"),
            format!("{OBJECT}<Contents>"),
        ] {
            assert!(page(&inner).is_err(), "{inner}");
        }
        assert!(page_of("<html><body>Welcome</body></html>").is_err());
    }
}
