//! Paths as one graph: principals, what is gained, and the steps between them.
//!
//! A step needs everything that leads to it; a principal or a gain needs only one of the steps that
//! lead to it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use escalade_engine::answer::{Answer, Gain, Step};
use petgraph::graph::{DiGraph, NodeIndex};

use super::Report;
use crate::render::{self, Names, visible};

/// A node of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    /// What it is.
    pub(crate) kind: Kind<'a>,
    /// What it is called, for people.
    pub(crate) label: String,
    /// The finding that starts here.
    pub(crate) start_of: Option<&'a Answer>,
    /// Whether it is what was asked for.
    pub(crate) is_goal: bool,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// A principal whose permissions the attacker has, by ARN.
    Principal(&'a str),
    /// Something else that is gained, and whose it is.
    Gain(&'a str),
    /// A step.
    Step(&'a Step),
    /// What was asked for.
    Goal,
}

impl Kind<'_> {
    /// The kind in one word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Principal(_) => "principal",
            Self::Gain(_) => "gain",
            Self::Step(_) => "step",
            Self::Goal => "goal",
        }
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// Why one node leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// The step is made by this principal, or with what was gained.
    Needs,
    /// The step gives this.
    Gives,
    /// The step comes after this one.
    Then,
    /// This is what was asked for.
    Is,
}

impl Edge {
    /// The reason in one word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Needs => "needs",
            Self::Gives => "gives",
            Self::Then => "then",
            Self::Is => "is",
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The graph of all findings of a report.
pub(crate) type PathGraph<'a> = DiGraph<Node<'a>, Edge>;

/// What makes two nodes one.
#[derive(PartialEq, Eq, Hash)]
enum Same<'a> {
    Principal(&'a str),
    Gain(String),
    /// A step by what it looks like: JSON has all of it.
    Step(String),
    Goal(String),
}

/// Builds the graph. Nodes and edges stand in the order of the findings.
pub(crate) fn graph<'a>(report: &Report<'a>) -> PathGraph<'a> {
    let mut building =
        Building { graph: DiGraph::new(), nodes: HashMap::new(), names: report.names() };
    for finding in report.findings() {
        building.finding(finding);
    }
    building.graph
}

struct Building<'a> {
    graph: PathGraph<'a>,
    nodes: HashMap<Same<'a>, NodeIndex>,
    names: Names<'a>,
}

impl<'a> Building<'a> {
    fn node(
        &mut self,
        same: Same<'a>,
        kind: Kind<'a>,
        label: impl FnOnce() -> String,
    ) -> NodeIndex {
        match self.nodes.entry(same) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let node = Node { kind, label: label(), start_of: None, is_goal: false };
                *new.insert(self.graph.add_node(node))
            }
        }
    }

    fn principal(&mut self, arn: &'a str) -> NodeIndex {
        let names = self.names;
        self.node(Same::Principal(arn), Kind::Principal(arn), || names.short(arn).into_owned())
    }

    fn goal(&mut self, finding: &'a Answer) -> NodeIndex {
        let to = &*finding.question.to;
        if to.starts_with("arn:") {
            let node = self.principal(to);
            if let Some(node) = self.graph.node_weight_mut(node) {
                node.is_goal = true;
            }
            return node;
        }
        // `admin` means the start's own account.
        let home = Names::of_start(&finding.question.from);
        let label = render::predicate(home, to);
        let node = self.node(Same::Goal(label.clone()), Kind::Goal, || label);
        if let Some(node) = self.graph.node_weight_mut(node) {
            node.is_goal = true;
        }
        node
    }

    fn finding(&mut self, finding: &'a Answer) {
        let Some(path) = &finding.path else { return };
        let start = self.principal(&finding.question.from);
        if let Some(node) = self.graph.node_weight_mut(start) {
            node.start_of = Some(finding);
        }
        // What has been gained so far, and about whom.
        let mut gained: Vec<(&str, NodeIndex)> = Vec::new();
        let mut last = vec![start];
        let mut before: Option<(NodeIndex, Vec<NodeIndex>)> = None;
        for step in &path.steps {
            let node = self.step(step);
            let needed = self.needed(step, &gained);
            for &needs in &needed {
                self.graph.update_edge(needs, node, Edge::Needs);
            }
            if let Some((before, gave)) = before
                && !gave.iter().any(|gave| needed.contains(gave))
            {
                self.graph.update_edge(before, node, Edge::Then);
            }
            last = self.gives(finding, step, node, &mut gained);
            before = Some((node, last.clone()));
        }
        let goal = self.goal(finding);
        for node in last {
            if node != goal {
                self.graph.update_edge(node, goal, Edge::Is);
            }
        }
    }

    fn step(&mut self, step: &'a Step) -> NodeIndex {
        let same = serde_json::to_string(step).unwrap_or_default();
        self.node(Same::Step(same), Kind::Step(step), || visible(&step.title).into_owned())
    }

    /// What a step is made with: the principals that make its calls, and what was gained on them.
    fn needed(&mut self, step: &'a Step, gained: &[(&str, NodeIndex)]) -> Vec<NodeIndex> {
        let mut needed = Vec::new();
        for call in &step.calls {
            needed.push(self.principal(&call.actor));
            needed
                .extend(gained.iter().filter(|(of, _)| *of == &*call.actor).map(|(_, node)| *node));
        }
        needed.sort();
        needed.dedup();
        needed
    }

    /// Adds what a step gives.
    fn gives(
        &mut self,
        finding: &'a Answer,
        step: &'a Step,
        from: NodeIndex,
        gained: &mut Vec<(&'a str, NodeIndex)>,
    ) -> Vec<NodeIndex> {
        let names = self.names;
        let mut out = Vec::new();
        for gain in &step.gains {
            let node = match gain {
                Gain::Credentials { of } => self.principal(of),
                Gain::Goal { .. } => self.goal(finding),
                Gain::Policy { of, .. }
                | Gain::Delegation { of, .. }
                | Gain::Resource { of, .. } => {
                    let text = render::gained(names, gain);
                    let same = Same::Gain(format!("{of} {text}"));
                    let node = self.node(same, Kind::Gain(of), || text);
                    gained.push((of, node));
                    node
                }
            };
            self.graph.update_edge(from, node, Edge::Gives);
            out.push(node);
        }
        if out.is_empty() { vec![from] } else { out }
    }
}
