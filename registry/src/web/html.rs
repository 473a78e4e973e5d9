//! HTML that is right by construction.
//!
//! What comes from outside gets in as text or as the value of an attribute, and is escaped there; the names of elements and of
//! attributes are the program's own, and links lead only where an [`Address`] does. There is no door for ready-made markup. So
//! little is needed of it that a crate for templates, with the macros that it brings, would be the larger part.

use std::fmt::{Display, Write};

use super::address::Address;

/// Elements that have no content, and no end.
const VOID: &[&str] = &["meta"];

/// Some HTML.
#[derive(Debug, Clone, Default)]
pub(super) struct Html(String);

impl Html {
    /// A whole document, whose root is `element`.
    pub(super) fn document(element: Element) -> String {
        format!("<!doctype html>{}\n", Self::from(element).0)
    }

    pub(super) fn text(mut self, text: impl Display) -> Self {
        escape(&mut self.0, text);
        self
    }

    pub(super) fn child(mut self, child: impl Into<Self>) -> Self {
        self.0.push_str(&child.into().0);
        self
    }

    pub(super) fn children<C: Into<Self>>(self, children: impl IntoIterator<Item = C>) -> Self {
        children.into_iter().fold(self, Self::child)
    }
}

/// An element that is being made.
#[derive(Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: String,
    content: Html,
}

pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: String::new(), content: Html::default() }
}

/// A link that reads as `text`.
pub(super) fn link(to: &Address, text: impl Display) -> Element {
    element("a").attribute("href", to).text(text)
}

impl Element {
    /// An attribute that is no address: those are in [`link`] alone.
    pub(super) fn attribute(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push(' ');
        self.attributes.push_str(name);
        self.attributes.push_str("=\"");
        escape(&mut self.attributes, value);
        self.attributes.push('"');
        self
    }

    pub(super) fn class(self, class: &'static str) -> Self {
        self.attribute("class", class)
    }

    pub(super) fn text(mut self, text: impl Display) -> Self {
        self.content = self.content.text(text);
        self
    }

    pub(super) fn child(mut self, child: impl Into<Html>) -> Self {
        self.content = self.content.child(child);
        self
    }

    pub(super) fn children<C: Into<Html>>(mut self, children: impl IntoIterator<Item = C>) -> Self {
        self.content = self.content.children(children);
        self
    }
}

impl From<Element> for Html {
    fn from(Element { name, attributes, content }: Element) -> Self {
        if VOID.contains(&name) {
            return Self(format!("<{name}{attributes}>"));
        }
        Self(format!("<{name}{attributes}>{}</{name}>", content.0))
    }
}

fn escape(to: &mut String, text: impl Display) {
    // To write into a string cannot fail.
    let _ = write!(Escaped(to), "{text}");
}

struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(character),
                control if control.is_control() => self.0.push(char::REPLACEMENT_CHARACTER),
                character => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_nest_and_what_they_hold_is_escaped() {
        let made = element("p").attribute("title", "a\"b'c").text("1 < 2 & ").child(element("b").text("\u{0}</b>"));
        let expected = "<p title=\"a&quot;b&#39;c\">1 &lt; 2 &amp; <b>\u{fffd}&lt;/b&gt;</b></p>";
        assert_eq!(Html::from(made).0, expected);
        assert_eq!(Html::from(element("meta").attribute("charset", "utf-8")).0, "<meta charset=\"utf-8\">");
    }

    proptest! {
        #[test]
        fn no_text_makes_markup(text in any::<String>()) {
            let made = Html::from(element("p").attribute("title", &text).text(&text)).0;
            prop_assert_eq!(made.matches('<').count(), 2);
            prop_assert_eq!(made.matches('>').count(), 2);
            prop_assert_eq!(made.matches('"').count(), 2);
        }
    }
}
