//! The clauses of the contract as data, read from its text.

use std::fmt;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

/// One numbered clause of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// Its id, for example `GET-1`.
    pub id: &'static str,
    /// Whether a driver that breaks it is wrong.
    pub level: Level,
    /// The capability under which it holds; none where it always does.
    pub capability: Option<&'static str>,
    /// The drill that shows what ordinary calls cannot stage; none where calls show all of it.
    pub drill: Option<&'static str>,
    /// What it says, in Markdown on one line.
    pub text: String,
}

/// How binding a clause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A driver that breaks it does not conform.
    Must,
    /// A driver may have a reason to break it.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All clauses, in the order of the contract.
pub fn clauses() -> &'static [Clause] {
    static CLAUSES: LazyLock<Vec<Clause>> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "the text is part of the build, and a test of this module parses it")]
        parse(driver_api::CONTRACT).expect("the contract's clauses can be read")
    });
    &CLAUSES
}

/// The clause with this id.
pub fn clause(id: &str) -> Option<&'static Clause> {
    clauses().iter().find(|clause| clause.id == id)
}

/// Reads every list item that begins with a bold id: `- **GET-1** MUST (cap: X; drill: Y). Text`, with continuation lines
/// indented by two spaces.
fn parse(text: &'static str) -> Result<Vec<Clause>, String> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(item) = line.strip_prefix("- **") {
            clauses.push(parse_head(item).ok_or_else(|| format!("no clause: {line}"))?);
            open = true;
        } else if let (true, Some(more), Some(clause)) = (open, line.strip_prefix("  "), clauses.last_mut()) {
            clause.text.push(' ');
            clause.text.push_str(more.trim());
        } else {
            open = false;
        }
    }
    Ok(clauses)
}

fn parse_head(item: &'static str) -> Option<Clause> {
    let (id, rest) = item.split_once("** ")?;
    let (level, rest) = match (rest.strip_prefix("MUST"), rest.strip_prefix("SHOULD")) {
        (Some(rest), _) => (Level::Must, rest),
        (_, Some(rest)) => (Level::Should, rest),
        _ => return None,
    };
    let (needs, text) = match rest.strip_prefix(" (") {
        Some(rest) => rest.split_once("). ")?,
        None => ("", rest.strip_prefix(". ")?),
    };
    let mut clause = Clause { id, level, capability: None, drill: None, text: text.trim().to_owned() };
    for need in needs.split("; ").filter(|need| !need.is_empty()) {
        match need.split_once(": ")? {
            ("cap", name) => clause.capability = Some(name),
            ("drill", name) => clause.drill = Some(name),
            _ => return None,
        }
    }
    Some(clause)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_clause_of_the_contract_is_read() {
        let read = parse(driver_api::CONTRACT).unwrap();
        assert_eq!(read.len(), driver_api::CONTRACT.matches("- **").count());
        assert!(read.len() > 100, "{} clauses", read.len());
        let ids: BTreeSet<_> = read.iter().map(|clause| clause.id).collect();
        assert_eq!(ids.len(), read.len(), "an id has two clauses");
    }

    #[test]
    fn clauses_name_capabilities_that_exist() {
        let known: BTreeSet<_> = driver_api::capability_names().collect();
        for clause in clauses() {
            assert!(clause.capability.is_none_or(|name| known.contains(name)), "{clause:?}");
        }
    }

    #[test]
    fn a_clause_is_its_head_and_the_lines_indented_below() {
        let text = "- **A-1** MUST (cap: tree; drill: kill). One\n  two.\n\n  not this\n- **A-2** SHOULD. Three.\n";
        let [first, second] = &parse(text).unwrap()[..] else { panic!("not two clauses") };
        assert_eq!((first.id, first.capability, first.drill), ("A-1", Some("tree"), Some("kill")));
        assert_eq!(first.text, "One two.");
        assert_eq!((second.level, second.text.as_str()), (Level::Should, "Three."));
    }

    #[test]
    fn a_clause_that_cannot_be_read_is_an_error() {
        for text in ["- **A-1** MAY. No.", "- **A-1** MUST (cap tree). No.", "- **A-1** MUST (for: x). No."] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
