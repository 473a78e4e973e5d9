//! What catches what: the table of mutants, as the last run of `conformance-mutants` left it.

use super::markup::Escaped;

/// A line for each mutant: its name, the clause that it breaks, what it does wrong, and the checks that caught it.
const TABLE: &str = include_str!("mutants.tsv");

/// The table as a section that can be unfolded.
pub(super) fn section() -> String {
    let rows: String = TABLE.lines().map(row).collect();
    format!(
        "<details><summary>{} broken drivers, and what catches them</summary><p class=\"soft\">Drivers with one defect each, on \
         which this suite was tried.</p><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Mutant</th>\
         <th scope=\"col\">Clause</th><th scope=\"col\">What it does wrong</th><th scope=\"col\">Caught by</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div></details>\n",
        TABLE.lines().count(),
    )
}

fn row(line: &str) -> String {
    let cells: String = line.split('\t').map(|cell| format!("<td>{}</td>", Escaped(cell))).collect();
    format!("<tr>{cells}</tr>\n")
}
