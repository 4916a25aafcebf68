//! Access control inside an OpenSearch domain: its own roles, users and their mapping, beside IAM.
//!
//! Implements <https://docs.aws.amazon.com/opensearch-service/latest/developerguide/fgac.html>.

use std::sync::Arc;

use super::search::Search;
use crate::authorization::{View, name_of};
use crate::pattern::Pattern;
use crate::residual::{Atom, Gap, Residual, Test};
use crate::snapshot::{Known, Object, ObjectId, PrincipalKind, Symbolic};

/// Cluster permissions of the roles that a domain has from the start, as far as techniques need
/// them. A `*` stands for everything behind it.
const BUILT_IN: &[(&str, &[&str])] = &[
    ("all_access", &["*"]),
    ("manage_snapshots", &["cluster:admin/snapshot/*", "cluster:admin/repository/*"]),
    (
        "snapshot_management_full_access",
        &[
            "cluster:admin/opensearch/snapshot_management/*",
            "cluster:admin/snapshot/*",
            "cluster:admin/repository/*",
        ],
    ),
];

/// Action groups that cluster permissions may name instead of single permissions.
const ACTION_GROUPS: &[(&str, &[&str])] = &[
    ("unlimited", &["*"]),
    ("cluster_all", &["cluster:*"]),
    ("manage_snapshots", &["cluster:admin/snapshot/*", "cluster:admin/repository/*"]),
    ("cluster_manage_snapshots", &["cluster:admin/snapshot/*", "cluster:admin/repository/*"]),
];

/// Other roles that every domain has; none of them grants what techniques need.
const WITHOUT_REPOSITORIES: &[&str] = &[
    "alerting_ack_alerts",
    "alerting_full_access",
    "alerting_read_access",
    "anomaly_full_access",
    "anomaly_read_access",
    "asynchronous_search_full_access",
    "asynchronous_search_read_access",
    "cold_manager",
    "default_role",
    "index_management_full_access",
    "kibana_read_only",
    "kibana_server",
    "kibana_user",
    "logstash",
    "ml_full_access",
    "ml_read_access",
    "notifications_full_access",
    "notifications_read_access",
    "observability_full_access",
    "observability_read_access",
    "opensearch_dashboards_user",
    "own_index",
    "readall",
    "readall_and_monitor",
    "reports_full_access",
    "reports_instances_read_access",
    "reports_read_access",
    "security_manager",
    "security_rest_api_access",
    "snapshot_management_read_access",
    "ultrawarm_manager",
];

/// Whether OpenSearch ships a role of this name.
pub(super) fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(own, _)| *own == name) || WITHOUT_REPOSITORIES.contains(&name)
}

/// Whether the domain's own roles grant `permission` to the principal.
///
/// - Without fine-grained access control whoever passes the access policy may do everything.
/// - An IAM user is mapped by its ARN among a mapping's users, an IAM role by its ARN among the
///   backend roles, an internal user by its name, its backend roles, or roles given to it directly.
/// - An internal user can only log in to its own domain, and only if the internal database is on.
///
/// Unknown where the domain's roles or mappings are not in the snapshot.
pub(super) fn permits(
    search: &Search<'_>,
    view: &View<'_, '_>,
    domain: ObjectId,
    principal: ObjectId,
    permission: &str,
    administered: bool,
) -> Residual {
    let (Some(domain), Some(principal)) = (view.object(domain), view.object(principal)) else {
        return Residual::False;
    };
    let internal = &*principal.kind == "opensearch:internal-user";
    if internal && !refers(principal, "domain", &domain.arn) {
        return Residual::False;
    }
    let controlled = match flag(domain, "advanced-security") {
        Ok(controlled) => controlled,
        Err(gap) => return Residual::Unknown(gap),
    };
    if internal {
        match flag(domain, "internal-users") {
            Ok(true) if controlled => {}
            Ok(_) => return Residual::False,
            Err(gap) => return Residual::Unknown(gap),
        }
    }
    if !controlled || (administered && !internal) {
        return Residual::True;
    }
    if let Some(gap) = search.uncollected(domain, "opensearch:role-mapping") {
        return Residual::Unknown(gap);
    }
    let mut roles: Vec<(Arc<str>, Residual)> = Vec::new();
    if internal && let Ok(own) = principal.attribute("roles") {
        roles.extend(own.into_iter().map(|role| (role, Residual::True)));
    }
    for mapping in search.with_attribute("opensearch:role-mapping", "domain", &domain.arn) {
        if let Some(mapping) = view.object(*mapping)
            && let Ok(role) = mapping.attribute("role")
        {
            let when = mapped(mapping, principal);
            if !when.is_false() {
                roles.extend(role.into_iter().map(|role| (role, when.clone())));
            }
        }
    }
    Residual::any(
        roles
            .into_iter()
            .map(|(role, when)| when.and(grants(search, view, domain, &role, permission))),
    )
}

fn flag(domain: &Object, name: &str) -> Known<bool> {
    domain.attribute(name).map(|values| values.iter().any(|value| &**value == "true"))
}

fn refers(object: &Object, attribute: &str, arn: &Arc<str>) -> bool {
    object.attribute(attribute).is_ok_and(|values| values.contains(arn))
}

/// When a role mapping maps the principal. Values of a mapping may hold wildcards.
fn mapped(mapping: &Object, principal: &Object) -> Residual {
    let among = |attribute: &str, text: &str| {
        mapping.attribute(attribute).is_ok_and(|values| {
            values.iter().any(|value| Pattern::glob(value, false).matches(text))
        })
    };
    if let Some(symbolic) = principal.symbolic() {
        return maps_symbolic(mapping, principal, symbolic);
    }
    Residual::constant(match &*principal.kind {
        "iam:user" => among("users", &principal.arn),
        "iam:role" => among("backend-roles", &principal.arn),
        _ => {
            let backend = principal.attribute("backend-roles").unwrap_or_default();
            let all_of = mapping.attribute("and-backend-roles").unwrap_or_default();
            among("users", &principal.name)
                || backend.iter().any(|role| among("backend-roles", role))
                || (!all_of.is_empty() && all_of.iter().all(|role| backend.contains(role)))
        }
    })
}

/// When a role mapping maps a principal that stands for many: whether its open ARN can be one that is
/// mapped. An unsigned request is mapped to nothing.
fn maps_symbolic(mapping: &Object, principal: &Object, symbolic: &Symbolic) -> Residual {
    let attribute = match symbolic {
        Symbolic::Principal { kind: PrincipalKind::Role, .. } => "backend-roles",
        Symbolic::Principal { .. } => "users",
        Symbolic::Unsigned | Symbolic::Token { .. } => return Residual::False,
    };
    let values = mapping.attribute(attribute).unwrap_or_default();
    let patterns = values.iter().map(|value| Pattern::glob(value, false));
    match (principal.before_open_name(), name_of(principal)) {
        (Some(prefix), Some(name)) => {
            Residual::any(patterns.flat_map(|pattern| pattern.after_prefix(prefix)).map(|rest| {
                if rest.is_any() {
                    Residual::True
                } else {
                    Residual::atom(Atom::Passes(name.clone(), Test::Like(rest)))
                }
            }))
        }
        _ => Residual::any(patterns.map(|p| Residual::constant(p.matches(&principal.arn)))),
    }
}

/// Whether a role of the domain grants the permission.
fn grants(
    search: &Search<'_>,
    view: &View<'_, '_>,
    domain: &Object,
    role: &str,
    permission: &str,
) -> Residual {
    let expand = |name: &str| -> bool {
        let patterns = ACTION_GROUPS.iter().find(|(group, _)| *group == name);
        match patterns {
            Some((_, patterns)) => {
                patterns.iter().any(|pattern| Pattern::glob(pattern, false).matches(permission))
            }
            None => Pattern::glob(name, false).matches(permission),
        }
    };
    if let Some((_, permissions)) = BUILT_IN.iter().find(|(name, _)| *name == role) {
        return Residual::constant(permissions.iter().any(|permission| expand(permission)));
    }
    let own = search
        .with_attribute("opensearch:role", "domain", &domain.arn)
        .iter()
        .filter_map(|id| view.object(*id))
        .find(|object| &*object.name == role);
    match own {
        Some(object) => match object.attribute("cluster-permissions") {
            Ok(permissions) => {
                Residual::constant(permissions.iter().any(|permission| expand(permission)))
            }
            Err(gap) => Residual::Unknown(gap),
        },
        None => match search.uncollected(domain, "opensearch:role") {
            Some(gap) => Residual::Unknown(gap),
            // A role that the domain ships and that grants none of what techniques need.
            None if search.is_built_in_opensearch_role(role) => Residual::False,
            None => Residual::Unknown(Gap(format!(
                "{}: the role {role:?} is not among the domain's roles",
                domain.arn
            )
            .into())),
        },
    }
}
