//! GraphML, for programs that analyse graphs.

use std::io::{self, Write};

use escalade_engine::answer::Answer;
use petgraph::visit::EdgeRef;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Report;
use super::graph::{Kind, Node, graph};
use crate::render::{sentence, severity, visible};

/// What is said of nodes. Everything is text.
const OF_NODES: [&str; 8] =
    ["kind", "label", "id", "technique", "severity", "calls", "verdict", "assumptions"];

/// Writes the graph of all paths: `kind` is `principal`, `gain`, `step` or `goal`; edges are
/// `needs`, `gives`, `then` or `is`. A principal from which a path starts has a `verdict`, and the
/// path's `assumptions` where there are any. The graph has `remarks`: what the answer is, and what is
/// not known, a line each.
///
/// Implements <http://graphml.graphdrawing.org/specification.html>.
pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let graph = graph(report);
    let mut writer = Writer::new_with_indent(&mut *out, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("graphml")
        .with_attribute(("xmlns", "http://graphml.graphdrawing.org/xmlns"))
        .write_inner_content(|writer| {
            for name in OF_NODES {
                key(writer, name, "node")?;
            }
            key(writer, "reason", "edge")?;
            key(writer, "remarks", "graph")?;
            writer
                .create_element("graph")
                .with_attribute(("id", "escalade"))
                .with_attribute(("edgedefault", "directed"))
                .write_inner_content(|writer| {
                    data(writer, "remarks", &report.remarks().join("\n"))?;
                    for index in graph.node_indices() {
                        let Some(weight) = graph.node_weight(index) else { continue };
                        let id = format!("n{}", index.index());
                        writer
                            .create_element("node")
                            .with_attribute(("id", &*id))
                            .write_inner_content(|writer| node(writer, report, weight))?;
                    }
                    for edge in graph.edge_references() {
                        let source = format!("n{}", edge.source().index());
                        let target = format!("n{}", edge.target().index());
                        writer
                            .create_element("edge")
                            .with_attribute(("source", &*source))
                            .with_attribute(("target", &*target))
                            .write_inner_content(|writer| {
                                data(writer, "reason", edge.weight().as_str())
                            })?;
                    }
                    Ok(())
                })?;
            Ok(())
        })?;
    writeln!(out)
}

fn key<W: Write>(writer: &mut Writer<W>, name: &str, of: &str) -> io::Result<()> {
    writer
        .create_element("key")
        .with_attribute(("id", name))
        .with_attribute(("for", of))
        .with_attribute(("attr.name", name))
        .with_attribute(("attr.type", "string"))
        .write_empty()?;
    Ok(())
}

fn data<W: Write>(writer: &mut Writer<W>, key: &str, value: &str) -> io::Result<()> {
    let element = writer.create_element("data").with_attribute(("key", key));
    element.write_text_content(BytesText::new(value))?;
    Ok(())
}

fn node<W: Write>(writer: &mut Writer<W>, report: &Report<'_>, node: &Node<'_>) -> io::Result<()> {
    data(writer, "kind", node.kind.as_str())?;
    data(writer, "label", &node.label)?;
    match node.kind {
        Kind::Principal(of) | Kind::Gain(of) => data(writer, "id", &visible(of))?,
        Kind::Goal => {}
        Kind::Step(step) => {
            data(writer, "technique", &visible(&step.technique))?;
            if let Some(technique) = report.technique(&step.technique) {
                data(writer, "severity", severity(technique.severity()))?;
            }
            let calls: Vec<_> = step
                .calls
                .iter()
                .map(|call| format!("{} on {}", visible(&call.action), visible(&call.resource)))
                .collect();
            data(writer, "calls", &calls.join("\n"))?;
        }
    }
    match node.start_of {
        None => Ok(()),
        Some(finding) => start(writer, finding),
    }
}

fn start<W: Write>(writer: &mut Writer<W>, finding: &Answer) -> io::Result<()> {
    data(writer, "verdict", finding.verdict.as_str())?;
    let Some(path) = finding.path.as_ref().filter(|path| !path.assumptions.is_empty()) else {
        return Ok(());
    };
    let assumptions: Vec<_> = path.assumptions.iter().map(sentence).collect();
    data(writer, "assumptions", &assumptions.join("\n"))
}
