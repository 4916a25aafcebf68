//! The APIs that take a role, and of which technique each is a way: `models/passed-roles.json`.
//!
//! AWS has about a thousand such APIs and most do the same with the role as another one of their
//! service. So a technique writes out the calls that are its idea, and takes the rest from here.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::technique::{Alternative, Call, Resources};

/// An API that takes a role.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PassedRole {
    /// `service:Name`.
    pub action: String,
    /// What the call is checked on, where the technique does not write the call out itself.
    #[serde(default)]
    pub resource: Option<Resources>,
    /// What has to be there, or to happen, for the role to be used.
    #[serde(default)]
    pub event: Option<String>,
    /// For whom the service uses the role, as it says in `aws:SourceArn`.
    #[serde(default)]
    pub source: Option<Resources>,
}

impl PassedRole {
    /// The API as a way of its technique. `None` if the technique writes the call out itself.
    pub(crate) fn way(&self) -> Option<Alternative> {
        let call = Call {
            source: self.source.clone(),
            ..Call::by_attacker(&self.action, self.resource.clone()?)
        };
        Some(Alternative { calls: vec![call], event: self.event.clone(), ..Alternative::default() })
    }
}

/// The APIs that take a role, by the id of the technique that each is a way of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PassedRoles(BTreeMap<String, Vec<PassedRole>>);

impl PassedRoles {
    /// What the embedded table is called in messages.
    pub(crate) const FILE: &str = "passed-roles.json";

    /// The table that comes with the catalogue. Fails only if the embedded file is not of this form.
    pub fn builtin() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../passed-roles.json"))
    }

    /// The APIs of a technique.
    pub fn of(&self, technique: &str) -> &[PassedRole] {
        self.0.get(technique).map_or(&[], Vec::as_slice)
    }

    /// All, with their techniques, sorted by technique.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &PassedRole)> {
        self.0.iter().flat_map(|(technique, apis)| apis.iter().map(move |api| (&**technique, api)))
    }

    /// The techniques that have some, sorted.
    pub fn techniques(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::{Catalogue, Technique};

    /// Calls of a technique and of its ways, with the services a role is passed to.
    fn calls(technique: &Technique) -> (BTreeSet<String>, BTreeSet<String>) {
        fn walk(value: &Value, actions: &mut BTreeSet<String>, services: &mut BTreeSet<String>) {
            let texts = |value: &Value| -> Vec<String> {
                let one = value.as_str().map(str::to_owned);
                let many = value.as_array().or_else(|| value.get("any-of")?.as_array());
                let many = many.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned));
                one.into_iter().chain(many).collect()
            };
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        match name.as_str() {
                            "action" => actions.extend(texts(member)),
                            "iam:PassedToService" => services.extend(texts(member)),
                            _ => walk(member, actions, services),
                        }
                    }
                }
                Value::Array(elements) => {
                    elements.iter().for_each(|element| walk(element, actions, services));
                }
                _ => {}
            }
        }
        let mut out = (BTreeSet::new(), BTreeSet::new());
        for part in [
            serde_json::to_value(&technique.calls).unwrap(),
            serde_json::to_value(&technique.ways).unwrap(),
        ] {
            walk(&part, &mut out.0, &mut out.1);
        }
        out
    }

    #[test]
    fn every_api_is_called_by_its_technique_which_passes_a_role_to_a_service() {
        let (table, catalogue) = (PassedRoles::builtin().unwrap(), Catalogue::builtin().unwrap());
        for technique in table.techniques() {
            let (actions, services) = calls(catalogue.get(technique).unwrap());
            assert!(actions.contains("iam:PassRole"), "{technique}");
            assert!(!services.is_empty(), "{technique}");
            for service in services {
                assert!(service.contains(".amazonaws.com"), "{technique}: {service:?}");
            }
            for api in table.of(technique) {
                assert!(actions.contains(&api.action), "{technique}: {}", api.action);
            }
        }
    }

    #[test]
    fn an_api_that_has_no_resource_is_written_out_by_its_technique() {
        let table = PassedRoles::builtin().unwrap();
        let catalogue = Catalogue::builtin().unwrap();
        for (id, api) in table.iter() {
            let technique = catalogue.get(id).unwrap();
            let written = serde_json::to_string(&technique.calls).unwrap();
            let written = written.contains(&format!("\"action\":\"{}\"", api.action));
            assert_eq!(written, api.resource.is_none(), "{id}: {}", api.action);
            assert!(api.resource.is_some() || api.event.is_none(), "{id}: {}", api.action);
        }
    }

    #[test]
    fn every_technique_has_its_apis_once_and_in_order() {
        let table = PassedRoles::builtin().unwrap();
        for technique in table.techniques() {
            let apis = table.of(technique);
            assert!(!apis.is_empty(), "{technique}");
            assert!(apis.is_sorted_by(|a, b| a.action < b.action), "{technique}");
        }
    }

    #[test]
    fn what_a_technique_leaves_to_the_table_is_there() {
        for technique in Catalogue::builtin().unwrap().techniques() {
            let ends = technique.before_ways() == Some(technique.calls.len());
            assert!(!ends || !technique.ways.is_empty(), "{}", technique.id);
        }
    }

    #[test]
    fn a_way_is_one_call_that_needs_no_other_object() {
        for technique in Catalogue::builtin().unwrap().techniques() {
            for way in &technique.ways {
                assert_eq!(way.calls.len(), 1, "{}", technique.id);
                assert!(way.objects.is_empty() && way.new.is_empty(), "{}", technique.id);
            }
        }
    }
}
