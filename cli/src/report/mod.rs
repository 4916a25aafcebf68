//! Answers as documents for other programs and for people elsewhere: a page, a comment, a graph.
//!
//! Everything that comes from a snapshot goes through [`visible`](crate::render::visible) as in
//! text, and then through the escaping of the format.

mod dot;
mod evidence;
mod graph;
mod graphml;
mod html;
mod markdown;
mod mermaid;
mod sarif;

use std::io::{self, Write};
use std::slice;
use std::sync::Arc;

use escalade_engine::analysis::Options;
use escalade_engine::answer::{Answer, Audit, Verdict};
use escalade_models::{Catalogue, Technique};

pub(crate) use evidence::Evidence;

use crate::arguments::PathFormat;
use crate::render::{self, Names, visible};

/// What a report is about.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// Every principal.
    Audit(&'a Audit),
    /// One question.
    Reach(&'a Answer),
}

/// An answer with all that reports say about it.
#[derive(Clone, Copy)]
pub(crate) struct Report<'a> {
    /// The answer.
    pub(crate) asked: Asked<'a>,
    /// What it was made with.
    pub(crate) options: &'a Options,
    /// The policies behind it.
    pub(crate) evidence: &'a Evidence,
    /// The techniques.
    pub(crate) catalogue: &'a Catalogue,
    /// Whether nothing is left out.
    pub(crate) verbose: bool,
}

impl<'a> Report<'a> {
    /// Writes the report. Text and JSON are no reports: nothing is written for them.
    pub(crate) fn write(&self, out: &mut dyn Write, format: PathFormat) -> io::Result<()> {
        match format {
            PathFormat::Text | PathFormat::Json | PathFormat::Jsonl => Ok(()),
            PathFormat::Html => html::write(out, self),
            PathFormat::Markdown => markdown::write(out, self),
            PathFormat::Sarif => sarif::write(out, self),
            PathFormat::Mermaid => mermaid::write(out, self),
            PathFormat::Dot => dot::write(out, self),
            PathFormat::Graphml => graphml::write(out, self),
        }
    }

    /// The answers, those about starts from outside behind the others.
    fn answers(&self) -> impl Iterator<Item = &'a Answer> + use<'a> {
        let (answers, outside) = match self.asked {
            Asked::Audit(audit) => (&*audit.findings, audit.outside.as_ref()),
            Asked::Reach(answer) => (slice::from_ref(answer), None),
        };
        answers.iter().chain(outside.into_iter().flat_map(|outside| &outside.findings))
    }

    /// The answers with a path.
    fn findings(&self) -> impl Iterator<Item = &'a Answer> + use<'a> {
        self.answers().filter(|answer| answer.path.is_some())
    }

    /// The questions that are not decided.
    fn undecided(&self) -> impl Iterator<Item = &'a Answer> + use<'a> {
        self.answers().filter(|answer| answer.verdict == Verdict::Unknown)
    }

    /// What the snapshot does not say.
    fn unknown(&self) -> &'a [Arc<str>] {
        match self.asked {
            Asked::Audit(audit) => &audit.unknown,
            Asked::Reach(answer) => &answer.unknown,
        }
    }

    /// What graphs say beside their nodes: what the answer is, who is undecided, what is not known.
    /// Each is one line without control characters.
    fn remarks(&self) -> Vec<String> {
        let mut out = vec![visible(&self.headline()).into_owned()];
        let undecided = self.undecided().map(|answer| visible(&answer.question.from).into_owned());
        if let Asked::Audit(_) = self.asked {
            out.extend(undecided.map(|from| format!("unknown: {from}")));
        }
        out.extend(self.unknown().iter().map(|text| format!("not known: {}", visible(text))));
        out
    }

    /// The answer in one sentence.
    fn headline(&self) -> String {
        match self.asked {
            Asked::Audit(audit) => {
                let (how_many, what) = render::headline(audit, self.options);
                format!("{how_many} {what}")
            }
            Asked::Reach(answer) => {
                let names = Names::of_start(&answer.question.from);
                let claim = render::claim(names, answer, self.options);
                format!("{}: {claim}", render::verdict(answer.verdict))
            }
        }
    }

    /// Names for what is said of all findings together.
    fn names(&self) -> Names<'a> {
        match self.asked {
            Asked::Audit(audit) => render::home(audit),
            Asked::Reach(answer) => Names::of_start(&answer.question.from),
        }
    }

    fn technique(&self, id: &str) -> Option<&'a Technique> {
        self.catalogue.techniques().iter().find(|technique| technique.id == id)
    }
}
