//! The document: which clauses hold where, and what shows that one does not.

use std::fmt::{self, Write as _};

use conformance::{CheckResult, Failure, Report, Status, TargetReport, clauses, without_repetitions};

/// The lines of evidence that are printed; whoever repeats the check sees all of them.
const LINES: usize = 30;
/// The bytes of a line, for an error can hold the whole of a response.
const LINE: usize = 400;

const METHOD: &str = "\
`opendal` and `object_store` are behind bridges in [ci/compatibility](../ci/compatibility/src/bridge), which declare what the \
crates themselves claim and pass each call on as a user of theirs would write it. A bridge repairs nothing. It adds what \
their callers have to add as well: it sorts listings, for these crates promise no order; it looks whether there is a file before \
it moves or deletes one; and it keeps an upload open where a write is put aside, so kept sessions are those of one driver \
value. Conditions of a commit, which neither can express, are not declared. Stores in one process or on one disk are taken for \
linearizable, because no replica excuses less. The servers are behind this project's own drivers, so a red cell there is \
the server's, or the driver's.

Not every red cell is a bug in the eyes of its makers. That OpenDAL's `fs` writes in place unless it is given an \
`atomic_write_dir` is documented, and so is that `rename` of `object_store` may be a copy and a delete: the column \
`object-store-memory-atomic` shows what that costs those who take the crate's first page, where all operations are atomic, \
at its word. Two faults of `LocalFileSystem` show only where an interrupted move is made again, which no check does; \
[a test](../ci/compatibility/tests/hard_links.rs) does. The clauses are those of [CONTRACT.md](../driver-api/CONTRACT.md).
";

/// A column of the matrix.
#[derive(Debug, Clone)]
pub struct Column {
    /// The name of the backend, and of its target in the report.
    pub name: String,
    /// Its name and version, as its makers write it.
    pub version: String,
    /// What it is, in a line.
    pub description: String,
}

/// A report on some backends, as Markdown.
#[derive(Debug)]
pub struct Document<'a> {
    report: &'a Report,
    columns: &'a [Column],
    /// Where temporary files were, which says nothing to a reader.
    directory: String,
}

impl<'a> Document<'a> {
    /// The document of `report`, of which `columns` tells the backends; temporary files were in `directory`.
    pub fn new(report: &'a Report, columns: &'a [Column], directory: impl Into<String>) -> Self {
        Self { report, columns, directory: directory.into() }
    }

    /// The backends with what the run says of each.
    fn targets(&self) -> impl Iterator<Item = (&Column, &TargetReport)> {
        let of_column = |column| self.report.targets.iter().find(|target| is_of(target, column)).map(|t| (column, t));
        self.columns.iter().filter_map(of_column)
    }

    fn backends(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| backend | version | what it is | pass | fail | unsupported | left to drills | untested |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        for (Column { name, version, description }, target) in self.targets() {
            write!(f, "| {name} | {version} | {description} |")?;
            let words: Vec<_> = clauses().iter().map(|clause| target.status(clause).word()).collect();
            for word in ["pass", "FAIL", "unsupported", "drill", "untested"] {
                write!(f, " {} |", words.iter().filter(|found| **found == word).count())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn matrix(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| clauses |")?;
        self.targets().try_for_each(|(column, _)| write!(f, " {} |", column.name))?;
        write!(f, "\n| --- |")?;
        self.targets().try_for_each(|_| write!(f, " --- |"))?;
        writeln!(f)?;
        let mut families: Vec<_> = clauses().iter().map(|clause| family(clause.id)).collect();
        families.dedup();
        for family in families {
            write!(f, "| {family} |")?;
            self.targets().try_for_each(|(_, target)| write!(f, " {} |", cell(target, family)))?;
            writeln!(f)?;
        }
        Ok(())
    }

    fn red_cells(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (Column { name, version, description }, target) in self.targets() {
            if target.failures().next().is_none() {
                continue;
            }
            writeln!(f, "\n### {name}\n\n{version}. {description}.")?;
            for alike in alike(target) {
                self.red_cell(f, &alike)?;
            }
        }
        Ok(())
    }

    /// What came of checks that failed in the same way: the first in full, the others by name.
    fn red_cell(&self, f: &mut fmt::Formatter<'_>, alike: &[Red<'_>]) -> fmt::Result {
        let Some(((result, failure, repeat), others)) = alike.split_first() else { return Ok(()) };
        writeln!(f, "\n**{}** by `{}`\n\n```text", failure.clauses.join(", "), result.check)?;
        writeln!(f, "expected  {}", self.shortened(&failure.expected))?;
        writeln!(f, "found     {}", self.shortened(&failure.found))?;
        if let Some(evidence) = &failure.evidence {
            writeln!(f, "\n{}", self.shortened(evidence.trim_end()))?;
        }
        writeln!(f, "\n$ {repeat}\n```")?;
        if !others.is_empty() {
            let named = others
                .iter()
                .map(|(result, failure, _)| format!("`{}` ({})", result.check, failure.clauses.join(", ")));
            writeln!(f, "\nThe same was found by {}.", named.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }

    fn shortened(&self, text: &str) -> String {
        let text = without_repetitions(&without_directories(text, &self.directory));
        let mut short = String::new();
        for (number, line) in text.lines().enumerate() {
            if number == LINES {
                // Writing to a String cannot fail.
                let _ = write!(short, "\n… and {} more lines", text.lines().count() - LINES);
                break;
            }
            let end = line.floor_char_boundary(LINE);
            let more = if end < line.len() { "…" } else { "" };
            let _ = write!(short, "{}{}{more}", if number > 0 { "\n" } else { "" }, &line[..end]);
        }
        short
    }
}

impl fmt::Display for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { profile, seed, .. } = self.report;
        writeln!(f, "# Compatibility\n")?;
        writeln!(f, "Which clauses of the contract hold on which storage. Generated by\n")?;
        writeln!(
            f,
            "```console\n$ ci/compatibility-matrix --profile {profile} --seed {seed} --document docs/COMPATIBILITY.md\n```\n"
        )?;
        writeln!(
            f,
            "with profile {profile} and seed {seed}; what depends on how tasks meet can differ from run to run.\n\n{METHOD}"
        )?;
        writeln!(f, "## Backends\n")?;
        self.backends(f)?;
        writeln!(f, "\n## Matrix\n")?;
        writeln!(
            f,
            "How many clauses of a group hold, and which are broken. `–`: none is declared, or none can be tested.\n"
        )?;
        self.matrix(f)?;
        writeln!(f, "\n## Red cells\n")?;
        writeln!(f, "What was expected, what came, what led there, and the command that does it again.")?;
        self.red_cells(f)
    }
}

/// A check that failed, how, and the command that does it again.
type Red<'a> = (&'a CheckResult, &'a Failure, &'a str);

/// The failures of a backend, those that differ in nothing but paths and numbers together.
fn alike(target: &TargetReport) -> Vec<Vec<Red<'_>>> {
    let mut groups: Vec<(String, Vec<Red<'_>>)> = Vec::new();
    for (result, failure, repeat) in target.failures() {
        let evidence = failure.evidence.as_deref().unwrap_or_default();
        // What took a script is a finding of its own.
        let told = if evidence.lines().count() > 1 {
            result.check.to_owned()
        } else {
            kind_of(&failure.found) + &kind_of(evidence)
        };
        match groups.iter_mut().find(|(known, _)| *known == told) {
            Some((_, alike)) => alike.push((result, failure, repeat)),
            None => groups.push((told, vec![(result, failure, repeat)])),
        }
    }
    groups.into_iter().map(|(_, alike)| alike).collect()
}

/// A text without its numbers, and without words that are paths.
fn kind_of(text: &str) -> String {
    let is_path = |word: &str| word.starts_with('/');
    let words = text.split_whitespace().map(|word| if is_path(word) { "/" } else { word });
    words.collect::<Vec<_>>().join(" ").replace(|character: char| character.is_ascii_digit(), "")
}

fn is_of(target: &TargetReport, column: &Column) -> bool {
    target.name == column.name
}

fn family(id: &str) -> &str {
    id.split_once('-').map_or(id, |(family, _)| family)
}

/// What the run says of one group of clauses on one backend.
fn cell(target: &TargetReport, group: &str) -> String {
    let (mut passed, mut broken) = (0, Vec::new());
    for clause in clauses().iter().filter(|clause| family(clause.id) == group) {
        match target.status(clause) {
            Status::Passed => passed += 1,
            Status::Failed => broken.push(clause.id),
            _ => {}
        }
    }
    match (passed, broken.is_empty()) {
        (0, true) => "–".to_owned(),
        (passed, true) => passed.to_string(),
        (passed, false) => format!("{passed}, **not {}**", broken.join(" ")),
    }
}

/// The text without the names of temporary directories, which nobody meets again: `DIRECTORY/NAME/` becomes `…/`.
fn without_directories(text: &str, directory: &str) -> String {
    let directory = format!("{}/", directory.trim_end_matches('/'));
    let mut parts = text.split(&directory);
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        short.push('…');
        short.push_str(part.find('/').map_or(part, |end| &part[end..]));
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_alike_whatever_path_they_are_about() {
        assert_eq!(
            kind_of("s3: delete /a/b: the service answered 500"),
            kind_of("s3: delete /c: the service answered 500")
        );
        assert_ne!(kind_of("s3: delete /a: the service answered 500"), kind_of("s3: delete /a: there is no such file"));
    }

    #[test]
    fn temporary_directories_are_told_by_what_is_in_them() {
        for (text, short) in [
            ("no file at /tmp/.tmpA1/root/a, nor at /tmp/.tmpA1/root/b", "no file at …/root/a, nor at …/root/b"),
            ("/tmp", "/tmp"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(without_directories(text, "/tmp"), short);
            assert_eq!(without_directories(text, "/tmp/"), short);
        }
    }
}
