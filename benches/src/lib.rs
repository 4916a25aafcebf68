//! Synthetic accounts for benchmarks, with what is in them written down.
//!
//! [`Account::new`] makes a snapshot of one account in the format that README.md describes, the same bytes
//! for the same seed and size, with [`Account::truth`] saying who reaches administrator, completely.
//! [`parse_floor`] is the yardstick beside which the audit is measured, [`load`] and [`audit`] what
//! is measured.
//!
//! # What a realistic account holds
//!
//! Proportions follow published account authorization details of real accounts, where those say
//! anything; the rest follows how teams write policies. With N users and roles:
//!
//! - *Principals.* Three in ten are users, seven in ten roles. Of the users two thirds are people
//!   (in one or two groups, most with a password, 0 to 2 access keys), the rest programs (1 or 2
//!   access keys, a fifth with a permissions boundary). Roles: Lambda functions 28 %, ECS tasks
//!   18 %, roles for people 15 %, other services 17 %, EC2 instances with instance profile 10 %,
//!   pipelines trusting GitHub by OpenID Connect 8 %, vendors with an external id 4 %; a quarter of
//!   those for programs have the workload boundary. Every account has seven service-linked roles,
//!   three roles of IAM Identity Center and a break-glass user.
//! - *Teams.* One for 60 principals, up to 250, each in three environments, with two groups.
//! - *Managed policies.* One of the account's own for every four principals, half of them with 2 to
//!   5 versions, the default mostly the newest; shared by the team's principals. AWS-managed
//!   policies with their real documents (ReadOnlyAccess alone has 94 KB), once each, attached to
//!   many.
//! - *Inline policies.* Four roles in ten have 1 to 3, and a third of the users that are programs
//!   one. Seven in ten of these documents occur once, the rest recur word for word within a team.
//! - *Statements.* 1 to 4 in a document. More than a third have a condition: MFA present or its
//!   age, source address, VPC or VPC endpoint, requested Region, tags of principal, request and
//!   resource, `iam:PassedToService`, `iam:PermissionsBoundary`, `kms:ViaService`,
//!   `dynamodb:LeadingKeys` with ForAllValues, `aws:PrincipalOrgID`, dates, and self-service
//!   policies with `${aws:username}`. Guardrails are denies, many with NotAction or NotResource.
//! - *Resources.* A Lambda function for six in ten functions' roles, each with its resource policy
//!   or AWS's answer that it has none, a running instance that Systems Manager manages for eight in
//!   ten instance roles; the other services that techniques look at list nothing, in two Regions.
//! - *Size.* About 3.5 KB of JSON for each principal, indented by four spaces as the AWS CLI prints it,
//!   plus about 0.3 MB for AWS-managed policies.
//! - *Planted.* For every 50 principals one escalation path, taken in turn from 22 kinds, and one
//!   near-miss from 15. Planted principals have names that begin with `core-`, which no other
//!   principal's policies match.
//!
//! Nobody else reaches administrator: what may run code, pass roles or assume them is limited to the
//! team's own names, no team has an administrator, and what may write policies is limited to roles
//! with the workload boundary, which allows neither IAM nor STS nor anything that runs code. Other
//! principals of the team are reached all the time, as in real accounts.
//!
//! # Organizations
//!
//! [`Organization::new`] makes many such accounts, the tree above them with service and resource
//! control policies on every level, hub-and-spoke trusts, and paths that cross accounts or are
//! closed by a control policy. It is written one account after the other.
//!
//! # Stress shapes
//!
//! [`Shape::EveryRoleAssumesEveryRole`]: thousands of roles that all trust the account and may all
//! assume `role/*`.
#![warn(missing_docs)]

mod account;
mod analysis;
mod aws_managed_policy;
mod background;
mod builder;
mod conditions;
mod control_policy;
mod draw;
mod inventory;
mod near_miss;
mod organization;
pub mod parse_floor;
mod planted_path;
mod statement;
mod trust;

pub use account::{Account, NearMiss, Planted, Shape};
pub use analysis::{Models, audit, audit_to, load};
pub use conditions::policies_of_conditions;
pub use organization::{Organization, Written};
