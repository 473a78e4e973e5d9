//! The XML of answers, read from end to end: one that was cut off or is not well formed is no answer.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::errors::Told;

/// An element that has ended.
pub(crate) struct Element<'a> {
    /// How many elements it is in.
    pub(crate) depth: usize,
    /// Its name, without that of a namespace.
    pub(crate) name: &'a str,
    /// Its text, where it has no elements in it.
    pub(crate) text: &'a str,
}

/// Calls `ended` with each element that ends within the element `root`; none where the text is not such a document as a whole.
pub(crate) fn read(text: &str, root: &str, mut ended: impl FnMut(Element<'_>)) -> Option<()> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut depth, mut begun, mut inner) = (0, false, String::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                // One root, and nothing beside it.
                if depth == 0 && (begun || start.local_name().as_ref() != root.as_bytes()) {
                    return None;
                }
                (depth, begun) = (depth + 1, true);
                inner.clear();
            }
            // Names match: the reader has seen to it.
            Event::End(end) => {
                depth -= 1;
                if depth > 0 {
                    let name = end.local_name();
                    ended(Element { depth, name: std::str::from_utf8(name.as_ref()).ok()?, text: &inner });
                }
                inner.clear();
            }
            Event::Text(text) => inner.push_str(&text.decode().ok()?),
            Event::CData(text) => inner.push_str(&text.decode().ok()?),
            Event::GeneralRef(reference) => inner.push(referred(&reference)?),
            // Entities of its own are nothing that a service has to declare.
            Event::DocType(_) => return None,
            Event::Eof => return (begun && depth == 0).then_some(()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Empty(_) => {}
        }
    }
}

/// The character that a reference stands for.
fn referred(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok()?;
    }
    match reference.as_ref() {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => None,
    }
}

/// What the body of a refusal tells; nothing where it is of no service.
pub(crate) fn error(text: &str) -> Told {
    let mut told = Told::default();
    let whole = read(text, "Error", |element| match (element.depth, element.name) {
        (1, "Code") => told.code = Some(element.text.to_owned()),
        (1, "Message") => told.message = Some(element.text.to_owned()),
        _ => {}
    });
    whole.map(|()| told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(text: &str) -> Option<Vec<String>> {
        let mut elements = Vec::new();
        read(text, "r", |element| elements.push(format!("{}{}={}", element.depth, element.name, element.text)))?;
        Some(elements)
    }

    #[test]
    fn elements_are_told_as_they_end() {
        let text = "<?xml version=\"1.0\"?>\n<r xmlns=\"urn:x\"><a>1 &lt;&#38;&#x3e;&quot;</a><b><c/> <n:a>2</n:a></b>\
                    <d><![CDATA[<&]]></d><!-- - --></r>\n";
        let expected = ["1a=1 <&>\"", "2c=", "2a=2", "1b=", "1d=<&"].map(str::to_owned).to_vec();
        assert_eq!(elements(text), Some(expected));
        assert_eq!(elements("<r/>"), Some(vec![]));
    }

    #[test]
    fn what_is_no_whole_document_is_nothing() {
        for text in [
            "",
            "r",
            "<r>",
            "<r><a>",
            "<r></a></r>",
            "<s/>",
            "<r/><r/>",
            "</r>",
            "<r>&unknown;</r>",
            "<r>&#0;</r>",
            "<!DOCTYPE r [<!ENTITY a \"b\">]><r>&a;</r>",
            "<r><a b=\"</r>",
        ] {
            assert_eq!(elements(text), None, "{text}");
        }
    }

    #[test]
    fn errors_tell_their_code() {
        let told = |code: &str, message: &str| Told { code: Some(code.to_owned()), message: Some(message.to_owned()) };
        let text = "<Error><Code>NoSuchBucket</Code><Message>It&apos;s gone</Message><a><Code>x</Code></a></Error>";
        assert_eq!(error(text), told("NoSuchBucket", "It's gone"));
        for text in ["", "<html><Code>x</Code></html>", "<Error><Code>NoSuchBucket</Code>"] {
            assert_eq!(error(text), Told::default(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(<|>|/|&|;|#|r|a|!|\\[|\\]|-|\\?|\"|=| |\u{e4}|<r>|</r>|<a>|</a>|&#|CDATA){0,40}") {
            let _ = (elements(&text), error(&text));
        }
    }
}
