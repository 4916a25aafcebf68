//! One synthetic account.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::aws_managed_policy::ADMINISTRATOR_ACCESS;
use crate::background;
use crate::builder::{Builder, Role};
use crate::inventory;
use crate::near_miss::NEAR_MISSES;
use crate::planted_path::{PATHS, allow};
use crate::trust::{self, document};

/// One planted path for every so many principals, and one near-miss.
const PRINCIPALS_PER_PATH: usize = 50;

/// The most principals that one planted path or near-miss takes.
const PRINCIPALS_OF_A_PATH: usize = 4;

/// What an account looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Like real accounts: see the documentation of the crate.
    Realistic,
    /// The same with every kind of planted path and near-miss once, whatever the size: for
    /// comparing findings with the truth. Takes 130 principals to fit them all.
    EveryKind,
    /// Roles only: each trusts the account's root and may assume `role/*`, and the first by name
    /// is an administrator. N roles make N x N potential edges, and every other role reaches
    /// administrator in one step.
    EveryRoleAssumesEveryRole,
    /// The same without the administrator: as many edges, and nothing to find.
    EveryRoleAssumesEveryRoleInVain,
}

/// An escalation path that is in the account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planted {
    /// The ARN of the principal that reaches the goal.
    pub from: String,
    /// The goal, as `escalade reach --to` takes it.
    pub to: String,
    /// The catalogue's id of the technique that the path turns on.
    pub technique: &'static str,
    /// Whether it holds only under assumptions about the environment.
    pub under_assumptions: bool,
}

/// Something that looks like an escalation path and must not be reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearMiss {
    /// The ARN of the principal that does not reach the goal.
    pub from: String,
    /// The goal, as `escalade reach --to` takes it.
    pub to: String,
    /// The catalogue's id of the technique that it resembles.
    pub technique: &'static str,
    /// What stands in the way.
    pub because: &'static str,
}

/// One synthetic account, the same for the same seed, size and shape.
#[derive(Clone, Debug)]
pub struct Account {
    id: String,
    principals: usize,
    files: Vec<(PathBuf, String)>,
    truth: Vec<Planted>,
    near_misses: Vec<NearMiss>,
    administrators: Vec<String>,
}

impl Account {
    /// An account like real ones with `principals` users and roles together.
    pub fn new(seed: u64, principals: usize) -> Self {
        Self::with_shape(seed, principals, Shape::Realistic)
    }

    /// An account of this shape with `principals` users and roles together.
    pub fn with_shape(seed: u64, principals: usize, shape: Shape) -> Self {
        let mut builder = Builder::new(seed);
        match shape {
            Shape::Realistic => {
                let paths = (principals / PRINCIPALS_PER_PATH).max(1);
                realistic(&mut builder, principals, paths, |_| {});
            }
            Shape::EveryKind => {
                let paths = PATHS.len().max(NEAR_MISSES.len());
                realistic(&mut builder, principals, paths, |_| {});
            }
            Shape::EveryRoleAssumesEveryRole => {
                every_role_assumes_every_role(&mut builder, principals, true)
            }
            Shape::EveryRoleAssumesEveryRoleInVain => {
                every_role_assumes_every_role(&mut builder, principals, false)
            }
        }
        Self::of(builder)
    }

    /// A realistic account of an organization, with what `plant` adds besides.
    pub(crate) fn within(
        mut builder: Builder,
        principals: usize,
        plant: impl FnOnce(&mut Builder),
    ) -> Self {
        let paths = (principals / PRINCIPALS_PER_PATH).max(1);
        realistic(&mut builder, principals, paths, plant);
        Self::of(builder)
    }

    fn of(mut builder: Builder) -> Self {
        let (mut truth, mut near_misses) =
            (std::mem::take(&mut builder.truth), std::mem::take(&mut builder.near_misses));
        truth.sort();
        near_misses.sort();
        Self {
            id: builder.account.clone(),
            principals: builder.principals(),
            administrators: std::mem::take(&mut builder.administrators).into_iter().collect(),
            truth,
            near_misses,
            files: inventory::files(builder),
        }
    }

    /// Makes near-misses of the planted paths whose technique is closed.
    pub(crate) fn close(&mut self, is_closed: impl Fn(&str) -> bool, because: &'static str) {
        let (closed, open) = std::mem::take(&mut self.truth)
            .into_iter()
            .partition(|planted: &Planted| is_closed(planted.technique));
        self.truth = open;
        let missed =
            |Planted { from, to, technique, .. }| NearMiss { from, to, technique, because };
        self.near_misses.extend(Vec::into_iter(closed).map(missed));
        self.near_misses.sort();
    }

    /// Its twelve digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How many users and roles it has.
    pub fn principals(&self) -> usize {
        self.principals
    }

    /// The snapshot, in the layout of README.md: path below the snapshot's folder, and text; sorted
    /// by path.
    pub fn files(&self) -> &[(PathBuf, String)] {
        &self.files
    }

    /// How many bytes the snapshot has.
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|(_, text)| text.len()).sum()
    }

    /// Writes the snapshot below `folder`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// When a folder or file cannot be written.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        inventory::write(&self.files, folder)
    }

    /// Everybody who reaches administrator without being one, sorted: complete, so that anybody
    /// else who is reported is a mistake. A principal is here once for each path planted for it.
    pub fn truth(&self) -> &[Planted] {
        &self.truth
    }

    /// Some of those who do not, sorted: the ones that come close.
    pub fn near_misses(&self) -> &[NearMiss] {
        &self.near_misses
    }

    /// ARNs of the principals that are administrators from the start, sorted.
    pub fn administrators(&self) -> &[String] {
        &self.administrators
    }
}

fn realistic(
    builder: &mut Builder,
    principals: usize,
    paths: usize,
    plant: impl FnOnce(&mut Builder),
) {
    let (boundary, self_service) = background::foundation(builder, principals);
    plant(builder);
    let offset = builder.draw.between(0, PATHS.len() * NEAR_MISSES.len() - 1);
    for number in 0..paths {
        for kinds in [PATHS, NEAR_MISSES] {
            let kind = kinds.get((offset + number) % kinds.len());
            let fits = builder.principals() + PRINCIPALS_OF_A_PATH <= principals;
            if let Some(plant) = kind.filter(|_| fits) {
                plant(builder, number);
            }
        }
    }
    background::fill(builder, principals, &boundary, &self_service);
}

fn every_role_assumes_every_role(builder: &mut Builder, roles: usize, with_administrator: bool) {
    let root = builder.iam("root");
    let any_role = builder.iam("role/*");
    for number in 0..roles {
        let administrator = with_administrator && number == 0;
        let duties = document(vec![allow(json!("sts:AssumeRole"), json!(any_role))]);
        let arn = builder.role(Role {
            name: format!("role-{number:07}"),
            trust: trust::principal(&root),
            inline: vec![("assume".to_owned(), duties)],
            attached: if administrator {
                vec![ADMINISTRATOR_ACCESS.to_owned()]
            } else {
                Vec::new()
            },
            ..Role::default()
        });
        if with_administrator && !administrator {
            builder.truth.push(Planted {
                from: arn,
                to: "admin".to_owned(),
                technique: "sts-assume-role",
                under_assumptions: false,
            });
        }
    }
}
