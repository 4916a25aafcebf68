//! A synthetic organization: many accounts, the tree above them, and trusts between them.
//!
//! The management account is first; the second is the hub, whose deployment role every spoke
//! trusts; the third is the delegated administrator. All others are workloads, one in ten of them
//! suspended. Besides what is planted within each account, every spoke has
//!
//! - a commuter: a user who assumes a relay role in the hub, which may assume an administrator back
//!   home; in a suspended account a near-miss;
//! - a stranger: a user who may assume the relay of another account, which does not trust his own;
//! - an administrator role that trusts the hub's deployment role, and one that trusts the
//!   management account.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::account::{Account, NearMiss, Planted};
use crate::builder::{Builder, Role};
use crate::control_policy::{Control, Hierarchy, Unit};
use crate::draw::Draw;
use crate::inventory;
use crate::planted_path::{administrator_role, allow, start};
use crate::trust::{self, document};

/// The role of every spoke that the hub deploys with.
pub(crate) const SPOKE_ADMINISTRATOR: &str = "core-spoke-admin";

/// The role that AWS makes in every account that an organization creates.
pub(crate) const ACCOUNT_ACCESS: &str = "OrganizationAccountAccessRole";

/// The role in the hub that every spoke trusts.
const DEPLOYER: &str = "core-deployer";

/// The administrator role that an account's relay comes home to.
const LANDING: &str = "core-landing";

/// Management account, hub, delegated administrator.
const FEWEST: usize = 3;

const CLOSED: &str = "a service control policy denies it";

/// What an account is in the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Management,
    Hub,
    Spoke(Unit),
}

/// One synthetic organization, the same for the same seed and size.
#[derive(Clone, Debug)]
pub struct Organization {
    seed: u64,
    principals: usize,
    ids: Vec<String>,
    hierarchy: Hierarchy,
}

/// What was written, and what is to be found in it.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Files.
    pub files: usize,
    /// Bytes of all files.
    pub bytes: usize,
    /// Users and roles.
    pub principals: usize,
    /// Everybody who reaches a goal without being there: `admin` for those who reach that of their
    /// own account, `admin@ACCOUNT` for those of other accounts. Sorted and complete.
    pub truth: Vec<Planted>,
    /// Some of those who do not reach administrator of their own account, sorted.
    pub near_misses: Vec<NearMiss>,
    /// ARNs of the principals that are administrators of their account, sorted.
    pub administrators: Vec<String>,
}

impl Organization {
    /// An organization of `accounts` accounts, three at least, with about `principals` users and
    /// roles in each. The hub has one role more for each account.
    pub fn new(seed: u64, accounts: usize, principals: usize) -> Self {
        let mut draw = Draw::new(seed);
        let hierarchy = Hierarchy::new(&mut draw);
        let (mut ids, mut seen) = (Vec::new(), BTreeSet::new());
        while ids.len() < accounts.max(FEWEST) {
            let id = draw.twelve_digits();
            if seen.insert(id.clone()) {
                ids.push(id);
            }
        }
        Self { seed, principals, ids, hierarchy }
    }

    /// Ids of the accounts: management, hub, delegated administrator, workloads.
    pub fn accounts(&self) -> &[String] {
        &self.ids
    }

    /// The account at a position of [`Organization::accounts`], with what is planted in it for
    /// goals within it.
    pub fn account(&self, position: usize) -> Account {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(position as u64 + 1);
        let builder = Builder::of_account(seed, self.id(position).to_owned());
        let mut account = Account::within(builder, self.principals, |builder| {
            self.plant(builder, position);
        });
        account.close(|technique| self.is_closed(position, technique), CLOSED);
        account
    }

    /// The organization's own files, sorted by path.
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let accounts: Vec<_> = (0..self.ids.len())
            .map(|position| {
                let (name, unit) = match self.part(position) {
                    Part::Management => ("management".to_owned(), None),
                    Part::Hub => ("hub".to_owned(), Some(Unit::Infrastructure)),
                    Part::Spoke(Unit::Security) => ("security".to_owned(), Some(Unit::Security)),
                    Part::Spoke(unit) => (format!("workload-{position}"), Some(unit)),
                };
                (self.id(position).to_owned(), name, unit, self.attached(position))
            })
            .collect();
        let responses = self.hierarchy.responses(&accounts, self.id(2));
        let mut files: Vec<(PathBuf, String)> = responses
            .iter()
            .map(|(call, response)| {
                (PathBuf::from(format!("organization/{call}.json")), inventory::printed(response))
            })
            .collect();
        files.sort();
        files
    }

    /// Writes the snapshot below `folder`, one account after the other.
    ///
    /// # Errors
    ///
    /// When a folder or file cannot be written.
    pub fn write_to(&self, folder: &Path) -> io::Result<Written> {
        let mut out = Written::default();
        let mut write = |files: &[(PathBuf, String)]| {
            out.files += files.len();
            out.bytes += files.iter().map(|(_, text)| text.len()).sum::<usize>();
            inventory::write(files, folder)
        };
        write(&self.files())?;
        let mut within = Vec::with_capacity(self.ids.len());
        for position in 0..self.ids.len() {
            let account = self.account(position);
            write(account.files())?;
            out.principals += account.principals();
            out.near_misses.extend_from_slice(account.near_misses());
            out.administrators.extend_from_slice(account.administrators());
            within.push((account.truth().to_vec(), account.administrators().to_vec()));
        }
        out.truth = self.across(&within);
        out.near_misses.sort();
        out.administrators.sort();
        Ok(out)
    }

    fn id(&self, position: usize) -> &str {
        self.ids.get(position).map_or("", String::as_str)
    }

    fn role(&self, position: usize, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.id(position))
    }

    /// The hub's role for coming back to an account.
    fn relay(&self, position: usize) -> String {
        format!("core-relay-{}", self.id(position))
    }

    fn part(&self, position: usize) -> Part {
        match position {
            0 => Part::Management,
            1 => Part::Hub,
            2 => Part::Spoke(Unit::Security),
            _ => Part::Spoke(match position % 10 {
                3 => Unit::Suspended,
                4..=8 => Unit::Production,
                _ => Unit::Development,
            }),
        }
    }

    /// Control policies attached to the account itself.
    fn attached(&self, position: usize) -> Vec<Control> {
        let workload =
            matches!(self.part(position), Part::Spoke(Unit::Production | Unit::Development));
        if workload && position % 7 == 3 { vec![Control::NoCommands] } else { Vec::new() }
    }

    /// Whether a control policy on some level above the account closes a path.
    fn is_closed(&self, position: usize, technique: &str) -> bool {
        let mut controls = self.attached(position);
        if let Part::Spoke(unit) = self.part(position) {
            let above = std::iter::successors(Some(unit), |unit| unit.parent());
            controls.extend(above.flat_map(Unit::policies));
        }
        controls
            .iter()
            .any(|control| control.closes().is_none_or(|closed| closed.contains(&technique)))
    }

    fn plant(&self, builder: &mut Builder, position: usize) {
        match self.part(position) {
            Part::Management => {}
            Part::Hub => {
                self.plant_hub(builder);
                self.trust_management(builder);
            }
            Part::Spoke(_) => {
                self.plant_spoke(builder, position);
                self.trust_management(builder);
            }
        }
    }

    fn trust_management(&self, builder: &mut Builder) {
        let root = format!("arn:aws:iam::{}:root", self.id(0));
        administrator_role(builder, ACCOUNT_ACCESS.to_owned(), trust::principal(&root), false);
    }

    fn trust_within(&self, arn: &str) -> serde_json::Value {
        let condition = json!({ "StringEquals": { "aws:PrincipalOrgID": self.hierarchy.id } });
        trust::principal_if(arn, condition)
    }

    fn plant_hub(&self, builder: &mut Builder) {
        let deployer = builder.iam(&format!("role/{DEPLOYER}"));
        let manager = start(
            builder,
            "core-release-manager".to_owned(),
            vec![allow(json!("sts:AssumeRole"), json!(deployer))],
        );
        let spokes = format!("arn:aws:iam::*:role/{SPOKE_ADMINISTRATOR}");
        builder.role(Role {
            name: DEPLOYER.to_owned(),
            trust: trust::principal(&manager),
            inline: vec![(
                "deploy".to_owned(),
                document(vec![allow(json!("sts:AssumeRole"), json!(spokes))]),
            )],
            ..Role::default()
        });
        for position in 2..self.ids.len() {
            let home = self.role(position, LANDING);
            let root = format!("arn:aws:iam::{}:root", self.id(position));
            builder.role(Role {
                name: self.relay(position),
                trust: self.trust_within(&root),
                inline: vec![(
                    "return".to_owned(),
                    document(vec![allow(json!("sts:AssumeRole"), json!(home))]),
                )],
                ..Role::default()
            });
        }
    }

    fn plant_spoke(&self, builder: &mut Builder, position: usize) {
        let deployer = self.trust_within(&self.role(1, DEPLOYER));
        administrator_role(builder, SPOKE_ADMINISTRATOR.to_owned(), deployer, false);
        let relay = self.role(1, &self.relay(position));
        administrator_role(builder, LANDING.to_owned(), trust::principal(&relay), false);
        let from = start(
            builder,
            "core-commuter".to_owned(),
            vec![allow(json!("sts:AssumeRole"), json!(relay))],
        );
        builder.truth.push(Planted {
            from,
            to: "admin".to_owned(),
            technique: "sts-assume-role",
            under_assumptions: false,
        });
        // The next spoke's; of the last the first one's.
        let other = if position + 1 < self.ids.len() { position + 1 } else { 2 };
        if other == position {
            return;
        }
        let relay = self.role(1, &self.relay(other));
        let from = start(
            builder,
            "core-nm-stranger".to_owned(),
            vec![allow(json!("sts:AssumeRole"), json!(relay))],
        );
        builder.near_misses.push(NearMiss {
            from,
            to: "admin".to_owned(),
            technique: "sts-assume-role",
            because: "the role trusts another account",
        });
    }

    /// Who reaches administrator where, from what holds within each account: its planted paths and
    /// its administrators.
    fn across(&self, within: &[(Vec<Planted>, Vec<String>)]) -> Vec<Planted> {
        let mut truth: Vec<Planted> =
            within.iter().flat_map(|(planted, _)| planted.iter().cloned()).collect();
        // Those who are administrator of the management account, or of the hub, or come to be.
        let masters = |position: usize| -> Vec<(String, bool)> {
            let Some((planted, administrators)) = within.get(position) else { return Vec::new() };
            let planted =
                planted.iter().map(|planted| (planted.from.clone(), planted.under_assumptions));
            planted.chain(administrators.iter().map(|arn| (arn.clone(), false))).collect()
        };
        let (management, hub) = (masters(0), masters(1));
        let deploying = [
            self.role(1, DEPLOYER),
            format!("arn:aws:iam::{}:user/core-release-manager", self.id(1)),
        ];
        for position in 1..self.ids.len() {
            let mut from = management.clone();
            if position > 1 {
                from.extend(hub.iter().cloned());
                from.extend(deploying.iter().map(|arn| (arn.clone(), false)));
                from.push((self.role(1, &self.relay(position)), false));
            }
            truth.extend(from.into_iter().map(|(from, under_assumptions)| Planted {
                from,
                to: format!("admin@{}", self.id(position)),
                technique: "sts-assume-role",
                under_assumptions,
            }));
        }
        truth.sort();
        truth
    }
}
