//! Mermaid flowcharts, which Markdown renders in many places.

use std::io::{self, Write};

use petgraph::visit::EdgeRef;

use super::graph::{Edge, Kind, PathGraph, graph};
use super::{Asked, Report};
use crate::cause::causes;
use crate::render::{self, counted, visible};

/// Causes of an audit that are drawn: Mermaid refuses to draw large graphs.
const CAUSES: usize = 30;

/// Writes one path step by step, or an audit by the last steps of its paths. What is not known
/// stands in comments.
///
/// Implements <https://mermaid.js.org/syntax/flowchart.html>.
pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    writeln!(out, "flowchart LR")?;
    for remark in report.remarks() {
        // A directive would begin with a brace.
        writeln!(out, "    %% {}", remark.replace(['{', '}'], "'"))?;
    }
    match report.asked {
        Asked::Reach(_) => path(out, &graph(report))?,
        Asked::Audit(_) => by_cause(out, report)?,
    }
    writeln!(out, "    classDef start stroke:#1f6feb,stroke-width:2px")?;
    writeln!(out, "    classDef goal stroke:#cf222e,stroke-width:2px")
}

fn path(out: &mut dyn Write, graph: &PathGraph<'_>) -> io::Result<()> {
    for index in graph.node_indices() {
        let Some(node) = graph.node_weight(index) else { continue };
        let class = match (node.is_goal, node.start_of.is_some()) {
            (true, _) => ":::goal",
            (_, true) => ":::start",
            _ => "",
        };
        let mut label = text(&node.label);
        let (open, close) = match node.kind {
            Kind::Principal(_) => ("([", "])"),
            Kind::Gain(_) => ("(", ")"),
            Kind::Goal => ("{{", "}}"),
            Kind::Step(step) => {
                for call in &step.calls {
                    label.push_str("<br/>");
                    label.push_str(&text(&visible(&call.action)));
                }
                ("[", "]")
            }
        };
        writeln!(out, "    n{}{open}\"{label}\"{close}{class}", index.index())?;
    }
    for edge in graph.edge_references() {
        let arrow = match edge.weight() {
            Edge::Then => "-.->",
            Edge::Needs | Edge::Gives | Edge::Is => "-->",
        };
        writeln!(out, "    n{} {arrow} n{}", edge.source().index(), edge.target().index())?;
    }
    Ok(())
}

fn by_cause(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let names = report.names();
    let causes = causes(report.findings());
    if causes.is_empty() {
        return writeln!(out, "    none[\"{}\"]", text(&report.headline()));
    }
    for (at, (cause, count)) in causes.iter().take(CAUSES).enumerate() {
        let title = report.technique(cause.technique).map_or(cause.technique, |known| &known.title);
        writeln!(
            out,
            "    p{at}([\"{}\"]):::start --> t{at}[\"{}\"] --> o{at}(\"{}\"):::goal",
            text(&counted(*count, "principal")),
            text(&visible(title)),
            text(&render::on(names, cause)),
        )?;
    }
    match causes.len().saturating_sub(CAUSES) {
        0 => Ok(()),
        more => writeln!(out, "    more[\"and {more} more\"]"),
    }
}

/// A text for a quoted label: whatever could mean something is written as its code point.
///
/// See <https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters>.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' | '-' | '_' | '.' | '/' | ':' | ',' | '(' | ')' | '?' | '=' | '+' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => out.push_str(&format!("#{};", u32::from(c))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn nothing_in_a_label_means_anything() {
        assert_eq!(
            text("a\"]--><b>`#x;*@&\\"),
            "a#34;#93;--#62;#60;b#62;#96;#35;x#59;#42;#64;#38;#92;"
        );
        assert_eq!(text("role/admin (é)"), "role/admin (é)");
    }
}
