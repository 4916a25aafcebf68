//! DOT, for Graphviz.

use std::io::{self, Write};

use petgraph::dot::{Config, Dot, RankDir};
use petgraph::graph::EdgeReference;

use super::Report;
use super::graph::{Edge, Kind, Node, graph};
use crate::render::visible;

/// Writes the graph of all paths. What is not known stands in comments before it.
///
/// Implements <https://graphviz.org/doc/info/lang.html>; labels are escaped by petgraph.
pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let mut graph = graph(report);
    for node in graph.node_weights_mut() {
        if let Kind::Step(step) = node.kind {
            // A line that does not end would not stand below the others.
            node.label.push('\n');
            for call in &step.calls {
                node.label.push_str(&visible(&call.action));
                node.label.push('\n');
            }
        }
    }
    let config = [Config::EdgeNoLabel, Config::RankDir(RankDir::LR)];
    let edge = |_, edge: EdgeReference<'_, Edge>| {
        match edge.weight() {
            Edge::Then => "style = dashed",
            Edge::Needs | Edge::Gives | Edge::Is => "",
        }
        .to_owned()
    };
    let node = |_, (_, node): (_, &Node<'_>)| {
        let shape = match node.kind {
            Kind::Principal(_) => "ellipse",
            Kind::Gain(_) => "note",
            Kind::Step(_) => "box",
            Kind::Goal => "doubleoctagon",
        };
        let style = match (node.start_of.is_some(), node.is_goal) {
            (_, true) => "style = filled fillcolor = \"#f7c6c5\"",
            (true, _) => "style = filled fillcolor = \"#cfe2f3\"",
            _ => "",
        };
        format!("shape = {shape} fontname = \"sans-serif\" {style}")
    };
    for remark in report.remarks() {
        writeln!(out, "// {remark}")?;
    }
    write!(out, "{}", Dot::with_attr_getters(&graph, &config, &edge, &node))
}
