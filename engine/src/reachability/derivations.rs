//! The AND-OR graph of derivations: which facts follow from which, at which level of certainty,
//! and from which starts each fact can be derived.
//!
//! A fact carries the set of starts that reach it. An edge has several premises, all of which one
//! start must have: its contribution is the intersection of their sets. The least fixpoint of that
//! answers for every start at once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::HashMap;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use roaring::RoaringBitmap;
use smallvec::SmallVec;

use super::fact::{Fact, FactId, Facts};
use crate::residual::{Gap, Residual};

/// How certain a derivation is. Lower is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Holds in every environment.
    Certain = 0,
    /// Holds under assumptions.
    Assumed = 1,
    /// Rests on something that is not known.
    Unknown = 2,
}

impl Level {
    /// All levels, strongest first.
    pub const ALL: [Level; 3] = [Level::Certain, Level::Assumed, Level::Unknown];
}

/// Why an edge holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The meaning of facts: no call is made.
    Implied,
    /// Calls of a rule: what is left of their authorization, and what is not known about it.
    Calls(Arc<Decided>),
}

/// A decided authorization with something left to assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decided {
    /// The residual, gaps included.
    pub residual: Residual,
    /// The gaps that stand between this and a certain answer; empty unless the level is unknown.
    pub gaps: Vec<Gap>,
}

/// The premises of an edge: hardly ever more than four.
pub(super) type Premises = SmallVec<[FactId; 4]>;

/// One way to derive a fact.
#[derive(Clone, Debug)]
pub struct Edge {
    /// What is needed, sorted.
    pub premises: Premises,
    /// What follows.
    pub conclusion: FactId,
    /// How certain.
    pub level: Level,
    /// How many techniques it applies: 0 or 1.
    pub steps: u32,
    /// Why.
    pub why: Why,
}

impl Edge {
    /// What tells it apart from other edges.
    fn key(&self) -> (&[FactId], FactId) {
        (&self.premises, self.conclusion)
    }
}

/// An edge, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId(pub u32);

#[derive(Debug, Default)]
struct Node {
    /// Starts that reach the fact at the current level.
    starts: RoaringBitmap,
    /// Edges that need it.
    out: Vec<EdgeId>,
    /// Edges that it follows from.
    into: Vec<EdgeId>,
}

/// Facts, edges and who reaches what.
#[derive(Debug, Default)]
pub struct Derivations {
    /// The facts named so far.
    pub facts: Facts,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// The edges by premises and conclusion.
    known: HashTable<EdgeId>,
    hasher: RandomState,
    /// Facts that have gained starts since they were last propagated.
    changed: Vec<FactId>,
    /// Edges added since the last propagation.
    fresh: Vec<EdgeId>,
    /// Facts with which the ways of some starts end.
    ends: HashMap<FactId, End>,
}

/// The end of ways.
#[derive(Debug)]
struct End {
    /// The starts whose ways end.
    starts: RoaringBitmap,
    /// The goal, if it still has to be concluded from the fact.
    goal: Option<FactId>,
}

impl Derivations {
    /// The id of a fact, new or old.
    pub fn fact(&mut self, fact: Fact) -> FactId {
        let id = self.facts.intern(fact);
        while self.nodes.len() < self.facts.len() {
            self.nodes.push(Node::default());
        }
        id
    }

    /// Adds a derivation. One between the same facts that is there already is kept if it is at
    /// least as strong, and replaced otherwise.
    pub fn add(&mut self, mut edge: Edge) {
        edge.premises.sort_unstable();
        edge.premises.dedup();
        let edges = &self.edges;
        let same =
            |id: &EdgeId| edges.get(id.0 as usize).is_some_and(|known| known.key() == edge.key());
        let hash = self.hasher.hash_one(edge.key());
        if let Some(id) = self.known.find(hash, same).copied() {
            if let Some(old) = self.edges.get_mut(id.0 as usize)
                && edge.level < old.level
            {
                *old = edge;
                self.fresh.push(id);
            }
            return;
        }
        let id = EdgeId(u32::try_from(self.edges.len()).unwrap_or(u32::MAX));
        for premise in &edge.premises {
            if let Some(node) = self.nodes.get_mut(premise.0 as usize) {
                node.out.push(id);
            }
        }
        if let Some(node) = self.nodes.get_mut(edge.conclusion.0 as usize) {
            node.into.push(id);
        }
        self.edges.push(edge);
        let (edges, hasher) = (&self.edges, &self.hasher);
        let hash_of =
            |id: &EdgeId| edges.get(id.0 as usize).map_or(0, |e| hasher.hash_one(e.key()));
        self.known.insert_unique(hash, id, hash_of);
        self.fresh.push(id);
    }

    /// Adds a derivation that the meaning of the facts gives.
    pub fn imply(&mut self, premises: Vec<FactId>, conclusion: FactId) {
        let premises = Premises::from_slice(&premises);
        self.add(Edge { premises, conclusion, level: Level::Certain, steps: 0, why: Why::Implied });
    }

    /// States that these starts have the fact.
    pub fn state(&mut self, fact: FactId, starts: &RoaringBitmap) {
        if let Some(node) = self.nodes.get_mut(fact.0 as usize) {
            let before = node.starts.len();
            node.starts |= starts;
            if node.starts.len() != before {
                self.changed.push(fact);
            }
        }
    }

    /// The starts that reach a fact at the current level.
    pub fn starts(&self, fact: FactId) -> Option<&RoaringBitmap> {
        self.nodes.get(fact.0 as usize).map(|node| &node.starts)
    }

    /// The starts that have all of these facts.
    pub fn common(&self, facts: &[FactId]) -> RoaringBitmap {
        let mut sets = facts.iter().map(|fact| self.starts(*fact));
        let Some(Some(first)) = sets.next() else { return RoaringBitmap::new() };
        let mut out = first.clone();
        for set in sets {
            match set {
                Some(set) => out &= set,
                None => return RoaringBitmap::new(),
            }
        }
        out
    }

    /// From now on nothing but `goal` follows from a fact for these starts.
    pub(super) fn end(&mut self, fact: FactId, starts: RoaringBitmap, goal: Option<FactId>) {
        self.ends.insert(fact, End { starts, goal });
    }

    /// Those of some starts whose ways do not end with a fact.
    pub(super) fn going_on<'s>(
        &self,
        fact: FactId,
        starts: &'s RoaringBitmap,
    ) -> Cow<'s, RoaringBitmap> {
        match self.ends.get(&fact) {
            Some(end) => Cow::Owned(less(starts, &end.starts)),
            None => Cow::Borrowed(starts),
        }
    }

    /// Whether a start's way ends before an edge.
    pub(super) fn is_past_end(&self, edge: &Edge, start: u32) -> bool {
        self.ends_before(edge).any(|end| end.starts.contains(start))
    }

    /// The ends of ways that an edge goes on from.
    fn ends_before(&self, edge: &Edge) -> impl Iterator<Item = &End> {
        let conclusion = edge.conclusion;
        let premises = if self.ends.is_empty() { &[][..] } else { &edge.premises };
        let ends = premises.iter().filter_map(|premise| self.ends.get(premise));
        ends.filter(move |end| end.goal != Some(conclusion))
    }

    /// The edge of an id.
    pub fn edge(&self, id: EdgeId) -> Option<&Edge> {
        self.edges.get(id.0 as usize)
    }

    /// The edges that need a fact.
    pub fn needing(&self, fact: FactId) -> &[EdgeId] {
        self.nodes.get(fact.0 as usize).map_or(&[], |node| &node.out)
    }

    /// The edges that a fact follows from.
    pub fn concluding(&self, fact: FactId) -> &[EdgeId] {
        self.nodes.get(fact.0 as usize).map_or(&[], |node| &node.into)
    }

    /// Carries starts along edges of at most `level`, one round: every edge sees what its premises
    /// had before the round. Starts in `settled` are no longer carried. Returns the facts that
    /// gained starts, in order, with the starts that each gained.
    pub fn round(
        &mut self,
        level: Level,
        settled: &RoaringBitmap,
    ) -> BTreeMap<FactId, RoaringBitmap> {
        let mut edges = std::mem::take(&mut self.fresh);
        for fact in std::mem::take(&mut self.changed) {
            edges.extend_from_slice(self.needing(fact));
        }
        edges.sort_unstable();
        edges.dedup();
        let mut gained: BTreeMap<FactId, RoaringBitmap> = BTreeMap::new();
        for id in edges {
            let Some(edge) = self.edge(id) else { continue };
            if edge.level > level {
                continue;
            }
            let conclusion = edge.conclusion;
            let starts = self.new_along(edge, settled);
            if !starts.is_empty() {
                *gained.entry(conclusion).or_default() |= starts;
            }
        }
        for (fact, starts) in &gained {
            self.state(*fact, starts);
        }
        gained
    }

    /// The starts not settled that have all premises of an edge and not yet its conclusion.
    fn new_along(&self, edge: &Edge, settled: &RoaringBitmap) -> RoaringBitmap {
        let empty = RoaringBitmap::new();
        let have = self.starts(edge.conclusion).unwrap_or(&empty);
        let new = match edge.premises.as_slice() {
            [premise] => match self.starts(*premise) {
                // Mostly nothing is new, which is seen without making a set.
                Some(all) if !all.is_subset(have) => less(&(all - have), settled),
                _ => return empty,
            },
            premises => less(&(&self.common(premises) - have), settled),
        };
        self.ends_before(edge).fold(new, |new, end| less(&new, &end.starts))
    }

    /// Prepares for a weaker level: the edges that count from now on are looked at. What goes along
    /// stronger ones has been carried.
    ///
    /// - `level`: the weaker level.
    pub fn weaken(&mut self, level: Level) {
        let edges = self.edges.iter().enumerate().filter(|(_, edge)| edge.level == level);
        self.fresh.extend(edges.map(|(at, _)| EdgeId(u32::try_from(at).unwrap_or(u32::MAX))));
    }
}

/// What of a set is not in another one. The difference of two sets costs what both have; where the
/// other one is much larger, what is in the set is looked up in it.
pub(super) fn less(set: &RoaringBitmap, other: &RoaringBitmap) -> RoaringBitmap {
    match set.len().saturating_mul(8) < other.len() {
        true => set.iter().filter(|start| !other.contains(*start)).collect(),
        false => set - other,
    }
}
