//! Events as they are sent.

use blobstore::{Digest, Reference};
use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::{Action, Event, Source, Target};

/// What a body with events is.
pub const MEDIA_TYPE: &str = "application/vnd.docker.distribution.events.v2+json";

/// The fields and their names are those of the ancestor, in its order; what is not known is left out.
#[derive(Serialize)]
struct Envelope<'a> {
    events: [WireEvent<'a>; 1],
}

#[derive(Serialize)]
struct WireEvent<'a> {
    id: String,
    timestamp: String,
    action: &'static str,
    target: WireTarget<'a>,
    request: WireRequest<'a>,
    actor: Actor<'a>,
    source: WireSource<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct WireTarget<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    repository: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_repository: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: &'a [Reference],
}

#[derive(Serialize)]
struct WireRequest<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    addr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    method: &'a str,
    useragent: &'a str,
}

#[derive(Serialize)]
struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct WireSource<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    addr: &'a str,
    #[serde(rename = "instanceID")]
    instance_id: String,
}

/// The body that tells of an event.
pub(super) fn envelope(event: &Event, id: Uuid, at: OffsetDateTime, source: &Source) -> serde_json::Result<Bytes> {
    let (media_type, digest, size) = match &event.target {
        Some(Target::Descriptor(known)) => (Some(known.media_type.as_ref()), Some(&known.digest), Some(known.size)),
        Some(Target::Digest(digest)) => (None, Some(digest), None),
        None => (None, None, None),
    };
    let request = &event.request;
    let envelope = Envelope {
        events: [WireEvent {
            id: id.to_string(),
            // Years have four digits for another while.
            timestamp: at.format(&Rfc3339).unwrap_or_default(),
            action: event.action.as_str(),
            target: WireTarget {
                media_type,
                digest,
                size,
                length: size,
                repository: event.repository.as_str(),
                from_repository: match &event.action {
                    Action::Mount { from } => Some(from.as_str()),
                    _ => None,
                },
                url: event.url.as_deref(),
                tag: event.tag.as_ref().map(|tag| tag.as_str()),
                references: &event.references,
            },
            request: WireRequest {
                id: request.id.to_string(),
                addr: request.client.as_deref(),
                host: request.host.as_deref(),
                method: &request.method,
                useragent: request.user_agent.as_deref().unwrap_or_default(),
            },
            actor: Actor { name: event.actor.as_deref() },
            source: WireSource { addr: &source.address, instance_id: source.instance.to_string() },
        }],
    };
    let mut body = Vec::with_capacity(1024);
    envelope.serialize(&mut Serializer::with_formatter(&mut body, PrettyFormatter::with_indent(b"   ")))?;
    Ok(body.into())
}

#[cfg(test)]
mod tests {
    use blobstore::Descriptor;

    use super::*;
    use crate::notifications::Request;

    fn event(action: Action, target: Option<Target>) -> Event {
        Event {
            action,
            repository: "library/test".parse().unwrap(),
            tag: None,
            target,
            url: None,
            references: Vec::new(),
            request: Request {
                id: Uuid::from_u128(2),
                client: None,
                host: None,
                method: "DELETE".to_owned(),
                user_agent: None,
            },
            actor: None,
        }
    }

    fn text(event: &Event) -> String {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_424_284_803_500_000_120).unwrap();
        let source = Source { address: "here:5000".to_owned(), instance: Uuid::from_u128(3) };
        let body = envelope(event, Uuid::from_u128(1), at, &source).unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn an_event_is_written_as_the_ancestor_writes_it() {
        let digest = Digest::of(b"manifest");
        let target = Target::Descriptor(Descriptor { media_type: "application/x".into(), digest, size: 8 });
        let mut event = event(Action::Push, Some(target));
        event.tag = Some("latest".parse().unwrap());
        event.url = Some(format!("http://here:5000/v2/library/test/manifests/{digest}"));
        event.actor = Some("someone".to_owned());
        event.request = Request {
            id: Uuid::from_u128(2),
            client: Some("192.0.2.1:1234".to_owned()),
            host: Some("here:5000".to_owned()),
            method: "PUT".to_owned(),
            user_agent: Some("client/1.0 <&>".to_owned()),
        };
        let layer = Digest::of(b"layer");
        let reference = format!(r#"{{"mediaType":"application/l","digest":"{layer}","size":5}}"#);
        event.references = vec![serde_json::from_str(&reference).unwrap()];
        let expected = format!(
            r#"{{
   "events": [
      {{
         "id": "00000000-0000-0000-0000-000000000001",
         "timestamp": "2015-02-18T18:40:03.50000012Z",
         "action": "push",
         "target": {{
            "mediaType": "application/x",
            "digest": "{digest}",
            "size": 8,
            "length": 8,
            "repository": "library/test",
            "url": "http://here:5000/v2/library/test/manifests/{digest}",
            "tag": "latest",
            "references": [
               {{
                  "mediaType": "application/l",
                  "digest": "{layer}",
                  "size": 5
               }}
            ]
         }},
         "request": {{
            "id": "00000000-0000-0000-0000-000000000002",
            "addr": "192.0.2.1:1234",
            "host": "here:5000",
            "method": "PUT",
            "useragent": "client/1.0 <&>"
         }},
         "actor": {{
            "name": "someone"
         }},
         "source": {{
            "addr": "here:5000",
            "instanceID": "00000000-0000-0000-0000-000000000003"
         }}
      }}
   ]
}}"#
        );
        assert_eq!(text(&event), expected);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut event = event(Action::Mount { from: "other".parse().unwrap() }, Some(Target::Digest(Digest::of(b""))));
        let value: serde_json::Value = serde_json::from_str(&text(&event)).unwrap();
        let digest = Digest::of(b"").to_string();
        assert_eq!(
            value["events"][0]["target"],
            serde_json::json!({ "digest": digest, "repository": "library/test", "fromRepository": "other" })
        );
        assert_eq!(value["events"][0]["actor"], serde_json::json!({}));
        event.action = Action::Delete;
        event.target = None;
        event.tag = Some("old".parse().unwrap());
        let value: serde_json::Value = serde_json::from_str(&text(&event)).unwrap();
        assert_eq!(value["events"][0]["action"], "delete");
        assert_eq!(value["events"][0]["target"], serde_json::json!({ "repository": "library/test", "tag": "old" }));
    }
}
