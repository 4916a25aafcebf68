//! The technique catalogue: the files of `models/techniques`, and what users add to them.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::check::check_technique;
use crate::gain::Gain;
use crate::kind::Kinds;
use crate::passed_role::{PassedRole, PassedRoles};
use crate::technique::{Alternative, Call, Choice, NewObject, ObjectPattern, Technique};
use crate::technique_files::FILES;

/// Known ways to gain something.
///
/// Invariant: `techniques` are sorted by id, ids are unique, and each has passed the checks of
/// [`Catalogue::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    techniques: Vec<Technique>,
    /// Where each technique was read, by id, for messages.
    origins: BTreeMap<String, Origin>,
}

/// The file of a technique and its position there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    file: String,
    position: usize,
}

/// Why a catalogue file could not be used, and where in it to look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file:?} at {at}: {problem}")]
pub struct CatalogueError {
    /// The file, as the caller named it.
    pub file: String,
    /// JSON pointer to the place: `/3/calls/1/resource`.
    pub at: String,
    /// What is wrong there.
    pub problem: String,
}

impl Catalogue {
    /// The catalogue that comes with the program. Its files are read once per call; a test keeps them
    /// valid, so that an error means a broken build.
    pub fn builtin() -> Result<Self, CatalogueError> {
        let mut catalogue = Self { techniques: Vec::new(), origins: BTreeMap::new() };
        for (file, text) in FILES {
            catalogue.read(text, file)?;
        }
        catalogue.take_passed_roles()?;
        Ok(catalogue)
    }

    /// Gives techniques the ways that the table of APIs that take a role has of them.
    fn take_passed_roles(&mut self) -> Result<(), CatalogueError> {
        let error = |at: String, problem: String| CatalogueError {
            file: PassedRoles::FILE.to_owned(),
            at,
            problem,
        };
        let table =
            PassedRoles::builtin().map_err(|reason| error(String::new(), reason.to_string()))?;
        for technique in &mut self.techniques {
            technique.ways.extend(table.of(&technique.id).iter().filter_map(PassedRole::way));
        }
        match table.techniques().find(|id| self.get(id).is_none()) {
            Some(id) => Err(error(format!("/{id}"), format!("there is no technique {id:?}"))),
            None => Ok(()),
        }
    }

    /// This catalogue and the techniques of one more file.
    ///
    /// - `extra`: a JSON array of techniques.
    /// - `file`: what to call the file in messages.
    ///
    /// Fails on the first thing that is wrong, with its place: no JSON, a field that is not known,
    /// an id that is there already, or anything [`Catalogue::check`] finds.
    pub fn with(&self, extra: &str, file: &str) -> Result<Self, CatalogueError> {
        let mut catalogue = self.clone();
        catalogue.read(extra, file)?;
        catalogue.check()?;
        Ok(catalogue)
    }

    /// The techniques, sorted by id.
    pub fn techniques(&self) -> &[Technique] {
        &self.techniques
    }

    /// The technique with this id.
    pub fn get(&self, id: &str) -> Option<&Technique> {
        let at =
            self.techniques.binary_search_by(|technique| technique.id.as_str().cmp(id)).ok()?;
        self.techniques.get(at)
    }

    /// The techniques that are known elsewhere by this name, with or without its catalogue in
    /// front: `lambda-001`, `pathfinding.cloud:lambda-001`.
    pub fn by_alias<'c>(&'c self, alias: &'c str) -> impl Iterator<Item = &'c Technique> {
        self.techniques.iter().filter(move |technique| {
            technique.aliases.iter().any(|own| {
                own == alias || own.split_once(':').is_some_and(|(_, bare)| bare == alias)
            })
        })
    }

    /// Checks what the form of the files cannot: every name is bound before it is used and is
    /// used, kinds and attributes exist, actions and resources are well-formed, gains fit the kind
    /// of their object, `weaker-than` leads to a technique and not in a circle.
    ///
    /// Fails on the first thing that is wrong, with its place.
    pub fn check(&self) -> Result<(), CatalogueError> {
        let kinds = Kinds::builtin().map_err(|error| CatalogueError {
            file: "kinds.json".to_owned(),
            at: String::new(),
            problem: error.to_string(),
        })?;
        for technique in &self.techniques {
            check_technique(technique, &kinds)
                .and_then(|()| self.check_weaker_than(technique))
                .map_err(|problem| self.error_in(technique, &problem.at, problem.text))?;
        }
        Ok(())
    }

    fn check_weaker_than(&self, technique: &Technique) -> Result<(), crate::check::Problem> {
        let problem = |text: String| crate::check::Problem { at: "/weaker-than".to_owned(), text };
        let mut seen = vec![technique.id.as_str()];
        let mut next = technique.weaker_than.as_deref();
        while let Some(id) = next {
            if seen.contains(&id) {
                return Err(problem(format!("{id:?} leads back to this technique")));
            }
            seen.push(id);
            match self.get(id) {
                Some(stronger) => next = stronger.weaker_than.as_deref(),
                None => return Err(problem(format!("there is no technique {id:?}"))),
            }
        }
        Ok(())
    }

    fn error_in(&self, technique: &Technique, at: &str, problem: String) -> CatalogueError {
        match self.origins.get(&technique.id) {
            Some(origin) => CatalogueError {
                file: origin.file.clone(),
                at: format!("/{}{at}", origin.position),
                problem: format!("technique {:?}: {problem}", technique.id),
            },
            None => CatalogueError { file: String::new(), at: at.to_owned(), problem },
        }
    }

    /// Adds the techniques of a file, unchecked except for their form and their ids.
    fn read(&mut self, text: &str, file: &str) -> Result<(), CatalogueError> {
        let error =
            |at: String, problem: String| CatalogueError { file: file.to_owned(), at, problem };
        let entries: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|e| error(String::new(), e.to_string()))?;
        for (position, entry) in entries.into_iter().enumerate() {
            let technique = technique(entry)
                .map_err(|(at, problem)| error(format!("/{position}{at}"), problem))?;
            match self.techniques.binary_search_by(|known| known.id.cmp(&technique.id)) {
                Ok(_) => {
                    let first =
                        self.origins.get(&technique.id).map_or("", |origin| origin.file.as_str());
                    return Err(error(
                        format!("/{position}/id"),
                        format!("the id {:?} is taken already, in {first:?}", technique.id),
                    ));
                }
                Err(at) => {
                    self.origins
                        .insert(technique.id.clone(), Origin { file: file.to_owned(), position });
                    self.techniques.insert(at, technique);
                }
            }
        }
        Ok(())
    }
}

/// Reads one technique. Fails with the place in it and what is wrong there.
fn technique(entry: &RawValue) -> Result<Technique, (String, String)> {
    if let Ok(technique) = serde_json::from_str(entry.get()) {
        return Ok(technique);
    }
    let here = |e: serde_json::Error| (String::new(), e.to_string());
    let entry: Value = serde_json::from_str(entry.get()).map_err(here)?;
    serde_json::from_value(entry.clone()).map_err(|e| locate(&entry).unwrap_or_else(|| here(e)))
}

/// Finds the smallest part of a technique that does not have the form it should have, with its
/// place and what is wrong. `serde` alone says where a choice of forms began, not where it failed.
fn locate(entry: &Value) -> Option<(String, String)> {
    if let Some(found) = needs(entry, "") {
        return Some(found);
    }
    for (at, call) in elements(entry.get("calls"), "/calls") {
        let Some(alternatives) = call.get("any-of") else {
            if let Some(problem) = misfit::<Call>(call) {
                return Some((at, problem));
            }
            continue;
        };
        let of_one = |(at, alternative): (String, &Value)| alternative_misfit(alternative, &at);
        let found = elements(Some(alternatives), &format!("{at}/any-of")).find_map(of_one);
        if found.is_some() {
            return found;
        }
        if let Some(problem) = misfit::<Choice>(call) {
            return Some((at, problem));
        }
    }
    elements(entry.get("ways"), "/ways")
        .find_map(|(at, way)| alternative_misfit(way, &at))
        .or_else(|| locate_each::<Gain>(entry.get("gains"), "", "gains"))
}

/// The same among the objects that an entry or an alternative needs or makes.
fn needs(entry: &Value, at: &str) -> Option<(String, String)> {
    locate_each::<ObjectPattern>(entry.get("objects"), at, "objects")
        .or_else(|| locate_each::<NewObject>(entry.get("new"), at, "new"))
}

/// The same within an alternative.
fn alternative_misfit(alternative: &Value, at: &str) -> Option<(String, String)> {
    needs(alternative, at)
        .or_else(|| locate_each::<Call>(alternative.get("calls"), at, "calls"))
        .or_else(|| misfit::<Alternative>(alternative).map(|problem| (at.to_owned(), problem)))
}

fn locate_each<T: serde::de::DeserializeOwned>(
    list: Option<&Value>,
    at: &str,
    field: &str,
) -> Option<(String, String)> {
    elements(list, &format!("{at}/{field}"))
        .find_map(|(at, element)| misfit::<T>(element).map(|problem| (at, problem)))
}

fn elements<'v>(list: Option<&'v Value>, at: &str) -> impl Iterator<Item = (String, &'v Value)> {
    let at = at.to_owned();
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
        .map(move |(position, element)| (format!("{at}/{position}"), element))
}

fn misfit<T: serde::de::DeserializeOwned>(value: &Value) -> Option<String> {
    serde_json::from_value::<T>(value.clone()).err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(technique: &str) -> Result<Catalogue, CatalogueError> {
        Catalogue::builtin().unwrap().with(&format!("[{technique}]"), "own.json")
    }

    fn check(technique: &str, at: &str, problem: &str) {
        let error = one(technique).unwrap_err();
        assert_eq!(error.at, at, "{error}");
        assert!(error.problem.contains(problem), "{error}");
        assert_eq!(error.file, "own.json");
    }

    /// A valid technique, with one part replaced.
    fn changed(from: &str, to: &str) -> String {
        let valid = r#"{"id": "own-technique", "title": "Own", "category": "self-escalation",
            "objects": [{"name": "$role", "kind": "iam:role"}],
            "calls": [{"action": "iam:PutRolePolicy", "resource": "$role"}],
            "gains": [{"inline-policy": "$role"}], "references": ["https://example.com/"]}"#;
        assert!(one(valid).is_ok());
        assert!(valid.contains(from));
        valid.replace(from, to)
    }

    #[test]
    fn the_embedded_files_are_valid_and_sorted() {
        let catalogue = Catalogue::builtin().unwrap();
        assert_eq!(catalogue.check(), Ok(()));
        assert!(catalogue.techniques().len() > 100);
        assert!(catalogue.techniques().is_sorted_by(|a, b| a.id < b.id));
    }

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/techniques");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let embedded: Vec<&str> = FILES.iter().map(|(file, _)| *file).collect();
        assert_eq!(files, embedded);
    }

    #[test]
    fn every_built_in_technique_has_an_id_of_its_files_service() {
        let catalogue = Catalogue::builtin().unwrap();
        for (id, origin) in &catalogue.origins {
            assert!(
                id.starts_with(origin.file.trim_end_matches("json").trim_end_matches('.')),
                "{id}"
            );
        }
    }

    #[test]
    fn every_built_in_technique_refers_to_aws_documentation_first() {
        for technique in Catalogue::builtin().unwrap().techniques() {
            let first = technique.references.first().unwrap();
            assert!(first.starts_with("https://docs.aws.amazon.com/"), "{}", technique.id);
        }
    }

    #[test]
    fn every_passed_role_is_passed_by_who_makes_another_call() {
        for technique in Catalogue::builtin().unwrap().techniques() {
            let text = serde_json::to_string(technique).unwrap();
            if technique.category == crate::Category::NewPassrole {
                assert!(text.contains("iam:PassRole"), "{}", technique.id);
                assert!(text.contains("iam:PassedToService"), "{}", technique.id);
                // A service assumes the role, or an identity provider's token is brought to it.
                let trusted = text.contains("\"trusts\"") || text.contains("\"federated\"");
                assert!(trusted, "{}", technique.id);
            }
        }
    }

    #[test]
    fn techniques_are_found_by_id_and_by_other_names() {
        let catalogue = Catalogue::builtin().unwrap();
        assert!(catalogue.get("sts-assume-role").is_some());
        assert!(catalogue.get("sts").is_none());
        let found: Vec<&str> =
            catalogue.by_alias("lambda-001").map(|technique| technique.id.as_str()).collect();
        assert_eq!(found, ["lambda-create-function"]);
        assert_eq!(catalogue.by_alias("pathfinding.cloud:lambda-001").count(), 1);
    }

    #[test]
    fn a_technique_survives_writing_and_reading() {
        for technique in Catalogue::builtin().unwrap().techniques() {
            let text = serde_json::to_string(technique).unwrap();
            assert_eq!(&serde_json::from_str::<Technique>(&text).unwrap(), technique);
        }
    }

    #[test]
    fn a_users_technique_is_added_in_order() {
        let catalogue = one(&changed("own-technique", "a-first")).unwrap();
        assert_eq!(catalogue.techniques().first().unwrap().id, "a-first");
    }

    #[test]
    fn errors_name_file_and_place() {
        check(
            &changed("own-technique", "sts-assume-role"),
            "/0/id",
            "taken already, in \"sts.json\"",
        );
        check(&changed("\"resource\"", "\"resuorce\""), "/0/calls/0", "unknown field `resuorce`");
        check(&changed("inline-policy", "inline"), "/0/gains/0", "unknown variant `inline`");
        check(
            &changed(r#""resource": "$role"}"#, r#""resource": "$role", "any-audience": true}"#),
            "/0/calls/0/any-audience",
            "the call brings no token",
        );
        check(
            &changed(
                r#"{"action": "iam:PutRolePolicy", "resource": "$role"}"#,
                r#"{"any-of": [{"calls": [{"action": "iam:PutRolePolicy"}]}]}"#,
            ),
            "/0/calls/0/any-of/0/calls/0",
            "missing field `resource`",
        );
        check(&changed("\"title\"", "\"titel\""), "/0", "unknown field `titel`");
        let error = Catalogue::builtin().unwrap().with("[{]", "own.json").unwrap_err();
        assert!(error.problem.contains("line 1 column 3"), "{error}");
        assert!(error.to_string().starts_with("\"own.json\" at "), "{error}");
    }

    #[test]
    fn what_leads_nowhere_is_an_error() {
        let weaker =
            |id: &str| changed("\"gains\"", &format!("\"weaker-than\": \"{id}\", \"gains\""));
        check(&weaker("no-such"), "/0/weaker-than", "there is no technique \"no-such\"");
        check(&weaker("own-technique"), "/0/weaker-than", "leads back");
        assert!(one(&weaker("iam-put-role-policy")).is_ok());
    }

    #[test]
    fn what_is_not_well_formed_is_an_error() {
        check(&changed("iam:PutRolePolicy", "PutRolePolicy"), "/0/calls/0/action", "service:Name");
        check(
            &changed("iam:role", "iam:rule"),
            "/0/objects/0/kind",
            "kind \"iam:rule\" is not known",
        );
        check(
            &changed("\"resource\": \"$role\"", "\"resource\": \"$rule\""),
            "/0/calls/0/resource",
            "\"$rule\" is not bound",
        );
        check(
            &changed("\"inline-policy\": \"$role\"", "\"inline-policy\": \"$rule\""),
            "/0/gains/0",
            "\"$rule\" is not bound",
        );
        check(&changed("own-technique", "Own"), "/0/id", "lower case");
        check(
            &changed(
                "\"kind\": \"iam:role\"",
                "\"kind\": \"iam:role\", \"where\": {\"colour\": \"red\"}",
            ),
            "/0/objects/0/where/colour",
            "has no attribute",
        );
        check(&changed("[{\"inline-policy\": \"$role\"}]", "[]"), "/0/gains", "nothing");
        check(&changed("[\"https://example.com/\"]", "[]"), "/0/references", "reference");
        check(
            &changed("iam:role\"}", "iam:role\"}, {\"name\": \"$user\", \"kind\": \"iam:user\"}"),
            "/0/objects/1",
            "\"$user\" is not used",
        );
        check(
            &changed("iam:role\"}", "iam:role\"}, {\"name\": \"$role\", \"kind\": \"iam:user\"}"),
            "/0/objects/1/name",
            "bound twice",
        );
        check(
            &changed("\"kind\": \"iam:role\"", "\"kind\": \"iam:role\", \"from\": \"$user.role\""),
            "/0/objects/0/from",
            "\"$user\" is not bound",
        );
        check(
            &changed(
                "{\"inline-policy\": \"$role\"}",
                "{\"no-boundary\": \"$role\"}, {\"policy-text\": \"$role\"}",
            ),
            "/0/gains/1",
            "cannot be \"iam:role\"",
        );
        check(
            &changed("\"resource\": \"$role\"", "\"resource\": \"role/x\""),
            "/0/calls/0/resource",
            "\"*\", an ARN",
        );
        check(
            &changed(
                "\"resource\": \"$role\"",
                "\"resource\": \"arn:{partition}:iam::{acount}:role/x\"",
            ),
            "/0/calls/0/resource",
            "{acount}",
        );
    }
}
