//! Access control inside an OpenSearch domain: its own roles, users and their mapping, beside IAM.
//!
//! Implements <https://docs.aws.amazon.com/opensearch-service/latest/developerguide/fgac.html>.

use std::collections::BTreeSet;
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

/// Action groups that every domain has, as far as techniques and requests need them.
///
/// Implements <https://docs.opensearch.org/latest/security/access-control/default-action-groups/>.
const ACTION_GROUPS: &[(&str, &[&str])] = &[
    ("unlimited", &["*"]),
    ("cluster_all", &["cluster:*"]),
    ("manage_snapshots", &["cluster:admin/snapshot/*", "cluster:admin/repository/*"]),
    ("cluster_manage_snapshots", &["cluster:admin/snapshot/*", "cluster:admin/repository/*"]),
    ("indices_all", &["indices:*"]),
    ("data_access", &["indices:data/*"]),
    ("crud", &["indices:data/read*", "indices:data/write*"]),
    ("read", &["indices:data/read*"]),
    ("search", &["indices:data/read/search*", "indices:data/read/msearch*"]),
    ("get", &["indices:data/read/get*", "indices:data/read/mget*"]),
    ("cluster_composite_ops_ro", &["indices:data/read/mget", "indices:data/read/msearch"]),
    ("cluster_composite_ops", &["indices:data/read/mget", "indices:data/read/msearch"]),
    ("cluster_monitor", &["cluster:monitor/*"]),
];

/// Other action groups that every domain has; they grant nothing of the kind.
const OTHER_ACTION_GROUPS: &[&str] = &[
    "cluster_manage_index_templates",
    "cluster_manage_pipelines",
    "create_index",
    "delete",
    "index",
    "indices_monitor",
    "kibana_all_read",
    "kibana_all_write",
    "manage",
    "manage_aliases",
    "search_pipeline_access",
    "suggest",
    "write",
];

/// The permissions for the API of the domain's own access control. A pattern for everything does not
/// hold them.
const SECURITY_API: &str = "restapi:";

/// Roles that a setting of the domain, which no response shows, may let call that API.
const MAY_CALL_SECURITY_API: &[&str] = &["security_manager", "security_rest_api_access"];

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
///   users or the backend roles, an internal user by its name, its backend roles, or roles given to it
///   directly.
/// - An internal user can only log in to its own domain, and only if the internal database is on.
/// - The call that writes a domain's access policy also says who its master user is.
///
/// Unknown where the domain's roles or mappings are not in the snapshot, or the action groups that
/// a role names.
pub(super) fn permits(
    search: &Search<'_>,
    view: &View<'_, '_>,
    domain: ObjectId,
    principal: ObjectId,
    permission: &str,
    administered: bool,
) -> Residual {
    let administered = administered || view.edits.resource_policy.contains(&domain);
    inside(search, view, (domain, principal), administered, |role, domain| {
        grants(search, view, domain, role, permission)
    })
}

/// Whether one of the domain's own roles that the principal has grants what is asked for.
///
/// - `grants`: whether a role does, by its name.
fn inside(
    search: &Search<'_>,
    view: &View<'_, '_>,
    (domain, principal): (ObjectId, ObjectId),
    administered: bool,
    grants: impl Fn(&str, &Object) -> Residual,
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
    // Roles that cannot be read may be any.
    let mut unread = Residual::False;
    if internal {
        match principal.attribute("roles") {
            Ok(own) => roles.extend(own.into_iter().map(|role| (role, Residual::True))),
            Err(gap) => unread = Residual::Unknown(gap),
        }
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
    let granted = roles.into_iter().map(|(role, when)| when.and(grants(&role, domain)));
    Residual::any(granted.chain([unread]))
}

/// Whether the domain's own access control lets a principal make a request that its access policy
/// lets through.
///
/// Only searches are known by their path; of another request it is not known which permissions it
/// takes, but who has no role gets no answer to any.
///
/// - `administered`: whether the attacker administers the domain from inside.
pub(super) fn lets_through(
    search: &Search<'_>,
    view: &View<'_, '_>,
    domain: ObjectId,
    principal: ObjectId,
    path: Option<&str>,
    administered: bool,
) -> Residual {
    let administered = administered || view.edits.resource_policy.contains(&domain);
    let permission = path.and_then(searching);
    let unsigned =
        view.object(principal).is_some_and(|o| matches!(o.symbolic(), Some(Symbolic::Unsigned)));
    if let Some(domain) = view.object(domain).filter(|_| unsigned)
        && flag(domain, "anonymous").is_ok_and(|anonymous| anonymous)
    {
        let what = format!("{}: what requests without a user may do in it", domain.arn);
        return Residual::Unknown(Gap(what.into()));
    }
    inside(search, view, (domain, principal), administered, |role, domain| {
        of_indexes(search, view, domain, role, permission)
    })
}

/// The permission that a request takes to search all indexes, by its path below the domain.
fn searching(path: &str) -> Option<&'static str> {
    Some(match path.trim_matches('/') {
        "_search" => "indices:data/read/search",
        "_msearch" => "indices:data/read/msearch",
        _ => return None,
    })
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
        known(
            mapping
                .attribute(attribute)
                .map(|values| values.iter().any(|value| Pattern::glob(value, false).matches(text))),
        )
    };
    if let Some(symbolic) = principal.symbolic() {
        return maps_symbolic(mapping, principal, symbolic);
    }
    match &*principal.kind {
        "iam:user" => among("users", &principal.arn),
        "iam:role" => {
            Residual::any([among("users", &principal.arn), among("backend-roles", &principal.arn)])
        }
        _ => {
            let by_name = among("users", &principal.name);
            let backend = match principal.attribute("backend-roles") {
                Ok(backend) => backend,
                Err(gap) => return Residual::any([by_name, Residual::Unknown(gap)]),
            };
            let has_all = mapping.attribute("and-backend-roles").map(|all_of| {
                !all_of.is_empty() && all_of.iter().all(|role| backend.contains(role))
            });
            let by_role = backend.iter().map(|role| among("backend-roles", role));
            Residual::any(by_role.chain([by_name, known(has_all)]))
        }
    }
}

/// Whether it is so, if that is known.
fn known(is_so: Known<bool>) -> Residual {
    is_so.map_or_else(Residual::Unknown, Residual::constant)
}

/// When a role mapping maps a principal that stands for many: whether its open ARN can be one that is
/// mapped. An unsigned request is mapped to nothing.
fn maps_symbolic(mapping: &Object, principal: &Object, symbolic: &Symbolic) -> Residual {
    let attributes: &[&str] = match symbolic {
        Symbolic::Principal { kind: PrincipalKind::Role, .. } => &["users", "backend-roles"],
        Symbolic::Principal { .. } => &["users"],
        Symbolic::Unsigned | Symbolic::Token { .. } => return Residual::False,
    };
    let mut values: Vec<Arc<str>> = Vec::new();
    let mut unread = Residual::False;
    for name in attributes {
        match mapping.attribute(name) {
            Ok(more) => values.extend(more),
            Err(gap) => unread = Residual::Unknown(gap),
        }
    }
    let patterns = values.iter().map(|value| Pattern::glob(value, false));
    let mapped = match (principal.before_open_name(), name_of(principal)) {
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
    };
    Residual::any([mapped, unread])
}

/// Whether a role of the domain grants the permission for the cluster.
fn grants(
    search: &Search<'_>,
    view: &View<'_, '_>,
    domain: &Object,
    role: &str,
    permission: &str,
) -> Residual {
    if let Some((_, permissions)) = BUILT_IN.iter().find(|(name, _)| *name == role) {
        let named = permissions.iter().map(|permission| Arc::from(*permission)).collect();
        // Who has the role of administrators may call the API whatever permissions it takes.
        let everything = *permissions == ["*"];
        return match everything {
            true => Residual::True,
            false => granted(search, view, domain, named, permission),
        };
    }
    if permission.starts_with(SECURITY_API) && MAY_CALL_SECURITY_API.contains(&role) {
        let arn = &domain.arn;
        let what = format!("{arn}: whether the role {role:?} may call the domain's security API");
        return Residual::Unknown(Gap(what.into()));
    }
    match own_role(search, view, domain, role) {
        Ok(Some(object)) => match object.attribute("cluster-permissions") {
            Ok(permissions) => granted(search, view, domain, permissions, permission),
            Err(gap) => Residual::Unknown(gap),
        },
        Ok(None) => Residual::False,
        Err(gap) => Residual::Unknown(gap),
    }
}

/// Whether a role of the domain lets its members have what a request asks for, of all indexes.
///
/// - `permission`: the permission that the request takes, if that is known.
fn of_indexes(
    search: &Search<'_>,
    view: &View<'_, '_>,
    domain: &Object,
    role: &str,
    permission: Option<&str>,
) -> Residual {
    if role == "all_access" {
        return Residual::True;
    }
    let object = match own_role(search, view, domain, role) {
        Ok(Some(object)) => object,
        Ok(None) => return Residual::Unknown(unknown_request(domain, role)),
        Err(gap) => return Residual::Unknown(gap),
    };
    let on_all = |values: Vec<Arc<str>>| -> Vec<Arc<str>> {
        let of_all = values.iter().filter_map(|pair| pair.strip_prefix("* "));
        of_all.map(Arc::from).collect()
    };
    let (cluster, indexes) =
        match (object.attribute("cluster-permissions"), object.attribute("index-permissions")) {
            (Ok(cluster), Ok(indexes)) => (cluster, indexes),
            (Err(gap), _) | (_, Err(gap)) => return Residual::Unknown(gap),
        };
    if cluster.is_empty() && indexes.is_empty() {
        return Residual::False;
    }
    match permission {
        Some(permission) => {
            let all = granted(search, view, domain, on_all(indexes.clone()), permission);
            let open = Residual::Unknown(unknown_request(domain, role));
            match all {
                Residual::False if !indexes.is_empty() => open,
                all => all,
            }
        }
        None => Residual::Unknown(unknown_request(domain, role)),
    }
}

fn unknown_request(domain: &Object, role: &str) -> Gap {
    let arn = &domain.arn;
    Gap(format!("{arn}: whether the role {role:?} of the domain allows the request").into())
}

/// A role that the domain's own list has. None if the domain ships one of this name that grants
/// nothing of what techniques need.
fn own_role<'v>(
    search: &Search<'_>,
    view: &View<'v, '_>,
    domain: &Object,
    role: &str,
) -> Result<Option<&'v Object>, Gap> {
    let own = search
        .with_attribute("opensearch:role", "domain", &domain.arn)
        .iter()
        .filter_map(|id| view.object(*id))
        .find(|object| &*object.name == role);
    match (own, search.uncollected(domain, "opensearch:role")) {
        (Some(object), _) => Ok(Some(object)),
        (None, Some(gap)) => Err(gap),
        (None, None) if search.is_built_in_opensearch_role(role) => Ok(None),
        (None, None) => {
            let arn = &domain.arn;
            let what = format!("{arn}: the role {role:?} is not among the domain's roles");
            Err(Gap(what.into()))
        }
    }
}

/// Whether permissions, some of which may be names of action groups, hold one.
///
/// Implements <https://docs.opensearch.org/latest/security/access-control/api/>: the permissions for
/// the API of the domain's own access control have to be named, or a pattern that begins like them.
fn granted(
    search: &Search<'_>,
    view: &View<'_, '_>,
    domain: &Object,
    names: Vec<Arc<str>>,
    permission: &str,
) -> Residual {
    let (mut patterns, mut unknown) = (Vec::new(), None);
    let mut left = names;
    // Groups may name each other.
    let mut seen: BTreeSet<Arc<str>> = BTreeSet::new();
    while let Some(name) = left.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let own = search
            .with_attribute("opensearch:action-group", "domain", &domain.arn)
            .iter()
            .filter_map(|id| view.object(*id))
            .find(|object| object.name == name);
        let shipped = ACTION_GROUPS.iter().find(|(group, _)| **group == *name);
        if let Some(group) = own {
            match group.attribute("actions") {
                Ok(actions) => left.extend(actions),
                Err(gap) => unknown = Some(gap),
            }
        } else if let Some((_, of_group)) = shipped {
            patterns.extend(of_group.iter().map(|pattern| Arc::from(*pattern)));
        } else if name.starts_with('/') {
            let what = format!("{}: the regular expression {name:?} is not read", domain.arn);
            unknown = Some(Gap(what.into()));
        } else if name.contains([':', '*', '?']) {
            patterns.push(name);
        } else if !OTHER_ACTION_GROUPS.contains(&&*name) {
            let not_listed = search.uncollected(domain, "opensearch:action-group");
            unknown = unknown.or(not_listed);
        }
    }
    let explicit = permission.starts_with(SECURITY_API);
    let matches = |pattern: &Arc<str>| {
        !(explicit && **pattern == *"*") && Pattern::glob(pattern, false).matches(permission)
    };
    match unknown {
        _ if patterns.iter().any(matches) => Residual::True,
        Some(gap) => Residual::Unknown(gap),
        None => Residual::False,
    }
}
