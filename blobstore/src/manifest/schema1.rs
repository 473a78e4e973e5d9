//! Manifests of Docker's first schema, which are stored without their signatures and served with them.
//!
//! A signature is stored as JSON and names, in its protected header, how many bytes of the signed text come before the
//! signatures (`formatLength`) and what comes behind them (`formatTail`), both in base64url. That is how libtrust, which made
//! them, keeps the text as its author wrote it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Manifest, media_type};
use crate::descriptor::Descriptor;
use crate::error::{Error, Result};

/// The manifest with its signatures, as its client expects it; without any it stays as it is stored. Its digest is that without
/// signatures, by which it is known.
pub(super) fn signed(manifest: Manifest, signatures: &[Bytes]) -> Result<Manifest> {
    if signatures.is_empty() {
        return Ok(manifest);
    }
    let text = manifest.content().clone();
    let content = text_with(&text, signatures).map_err(|reason| Error::Damaged {
        path: crate::layout::Place::Blob(manifest.descriptor.digest).path(),
        reason: format!("its signatures do not fit: {reason}"),
    })?;
    let descriptor = Descriptor {
        media_type: Cow::Borrowed(media_type::DOCKER_SIGNED),
        size: content.len() as u64,
        ..manifest.descriptor.clone()
    };
    Ok(Manifest { content: content.into(), descriptor, ..manifest })
}

#[derive(Deserialize)]
struct Signature<'a> {
    protected: String,
    #[serde(borrow)]
    header: &'a RawValue,
    signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protected {
    format_length: usize,
    format_tail: String,
}

fn text_with(text: &[u8], signatures: &[Bytes]) -> Result<String, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let signatures: Vec<Signature<'_>> = signatures
        .iter()
        .map(|signature| serde_json::from_slice(signature))
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let first = signatures.first().ok_or("there is none")?;
    let protected: Protected =
        serde_json::from_slice(&base64url(&first.protected)?).map_err(|error| error.to_string())?;
    let before = text.get(..protected.format_length).ok_or("the text is shorter than was signed")?;
    let tail = String::from_utf8(base64url(&protected.format_tail)?).map_err(|error| error.to_string())?;
    // The white space before the first name is that of the whole text.
    let indent: String = match before.find('\n') {
        Some(end) => before[end + 1..].chars().take_while(|character| *character == ' ').collect(),
        None => String::new(),
    };
    let listed: Vec<_> = signatures.iter().map(Signature::text).collect::<Result<_, _>>()?;
    let listed = format!("[{}]", listed.join(","));
    // As the Go registry does: indented where the text is, in one line where that is.
    let text = match indent.is_empty() {
        true => format!("{before},\"signatures\":{listed}{tail}"),
        false => format!("{before},\n{indent}\"signatures\": {}{tail}", indented(&listed, &indent)),
    };
    // The signature says where the text ends, and can say anything.
    serde_json::from_str::<IgnoredAny>(&text).map_err(|error| error.to_string())?;
    Ok(text)
}

impl Signature<'_> {
    fn text(&self) -> Result<String, String> {
        let quoted = |text: &String| serde_json::to_string(text).map_err(|error| error.to_string());
        let (header, value, protected) = (self.header.get(), quoted(&self.signature)?, quoted(&self.protected)?);
        Ok(format!(r#"{{"header":{header},"signature":{value},"protected":{protected}}}"#))
    }
}

/// JSON with each value in a line of its own behind the first, one level deeper than `indent`, in the order it had.
fn indented(json: &str, indent: &str) -> String {
    let mut text = String::new();
    let (mut depth, mut is_string, mut is_escaped) = (1_usize, false, false);
    let mut characters = json.chars().filter(|character| *character != '\n').peekable();
    while let Some(character) = characters.next() {
        if is_string {
            text.push(character);
            is_string = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
            continue;
        }
        let break_line = |text: &mut String, depth: usize| {
            text.push('\n');
            text.extend(std::iter::repeat_n(indent, depth));
        };
        match character {
            '{' | '[' => {
                text.push(character);
                while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if matches!(characters.peek(), Some('}' | ']')) {
                    text.extend(characters.next());
                } else {
                    depth += 1;
                    break_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(character);
                break_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ if character.is_ascii_whitespace() => {}
            '"' => {
                is_string = true;
                text.push(character);
            }
            _ => text.push(character),
        }
    }
    text
}

/// Reads base64url, with or without padding.
fn base64url(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|error| error.to_string())
}
