//! Resource tables: for each kind of object, what its ARNs and names look like and where in a
//! snapshot's responses it is found. `RESOURCES.md` describes the files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::attribute::{AttributeForm, Forms, OneOrMany};
use crate::form::fill;
use crate::resource_files::BUILTIN;

/// Why a resource table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file:?}: {problem}")]
pub struct ResourceTableError {
    /// The table.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// One kind of object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResourceKind {
    /// `service:type`: `lambda:function`.
    pub kind: String,
    /// The form of its ARN, with `{partition}`, `{region}`, `{account}`, `{name}` (and
    /// `{parent-name}` for what lives inside another object).
    pub arn: String,
    /// The texts that AWS accepts as the name of a new one.
    pub name: NameForm,
    /// Service principals that run it: they assume its role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<String>,
    /// Whether it is in no Region: listed in the snapshot's `global` folder.
    #[serde(default)]
    pub global: bool,
    /// Whether its responses count in whichever folder they are: a global one or a Region's.
    #[serde(default)]
    pub anywhere: bool,
    /// Whether each has a policy of its own: where that was not asked, it is not known rather than
    /// taken as none.
    #[serde(default)]
    pub always_has_policy: bool,
    /// Responses that list it. Several may list the same object; what they say is put together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Responses that say more about one object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<DetailSource>,
    /// Attributes that are another object's: tried where nothing else gives the attribute a value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, Link>,
}

/// The texts that can be a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NameForm {
    /// Characters and ranges of them, as inside the brackets of a regular expression:
    /// `a-zA-Z0-9_-`. A hyphen at the end stands for itself.
    pub alphabet: String,
    /// Shortest and longest, in characters.
    pub length: (u16, u16),
    /// How no name begins that a customer gives, whatever the case: the service keeps these for
    /// itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<String>,
}

/// A response that lists objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// `service/operation`, or with an argument: `{ecs:cluster}` for one file per object of that
    /// kind, `*` for whatever files are there. Several: the first that is there.
    pub file: OneOrMany,
    /// Where the items are; `*` stands for every element of a list or every value of an object.
    #[serde(default)]
    pub items: String,
    /// Pointer to, or template of, the ARN; without it the kind's form is filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Pointer to, or template of, the name. Without it the ARN's last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name is what follows the last occurrence of this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_after: Option<String>,
    /// Attributes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, AttributeForm>,
    /// Pointer to the tags, in any of AWS's shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
    /// Pointer to the resource policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Items to leave out: those with one of these values at this pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skip: BTreeMap<String, Vec<String>>,
    /// For a file per object of another kind: only objects with these attribute values have one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parent_where: BTreeMap<String, String>,
    /// Whether the response lists every object, so that what is not in it does not exist.
    #[serde(default = "yes")]
    pub complete: bool,
}

fn yes() -> bool {
    true
}

/// A response that says more about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DetailSource {
    /// `service/operation/{name}`, or `service/operation` for a response about many objects, to be
    /// searched by `key`. Where `{name}` stands the ARN is tried as well. Several: the first that
    /// is there.
    pub file: OneOrMany,
    /// For a response about many objects: where the items are.
    #[serde(default)]
    pub items: String,
    /// For a response about many objects: pointer to what must equal the object's name or ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For a response about many objects: whether several items may be about one, and all of them
    /// say something. If not, the first counts.
    #[serde(default)]
    pub every: bool,
    /// Attributes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, AttributeForm>,
    /// Pointer to the tags, in any of AWS's shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
    /// Pointer to the resource policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// An attribute that is another object's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Link {
    /// The attribute that holds the other object's ARN.
    pub through: String,
    /// The other object's attribute.
    pub take: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Forms of values that several attributes have, by name.
    #[serde(default)]
    forms: BTreeMap<String, Forms>,
    kinds: Vec<ResourceKind>,
}

/// Every kind of object that is known.
///
/// Invariant: sorted by kind, each once; every form and alphabet can be read; `{kind}` arguments
/// name kinds that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceKinds {
    kinds: Vec<ResourceKind>,
}

impl ResourceKinds {
    /// The kinds that come with the program. Fails if a table is not as `RESOURCES.md` says, which
    /// a test excludes.
    pub fn builtin() -> Result<Self, ResourceTableError> {
        Self::from_tables(BUILTIN.iter().copied())
    }

    /// Reads tables, given with the file name to use in errors.
    pub fn from_tables<'a>(
        tables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ResourceTableError> {
        let mut kinds: BTreeMap<String, (ResourceKind, &str)> = BTreeMap::new();
        for (file, text) in tables {
            let wrong = |problem: String| ResourceTableError { file: file.to_owned(), problem };
            let table: Table =
                serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
            for mut kind in table.kinds {
                let named = kind
                    .attribute_forms()
                    .try_for_each(|attribute| attribute.name_forms(&table.forms));
                named
                    .and_then(|()| check(&kind))
                    .map_err(|problem| wrong(format!("{}: {problem}", kind.kind)))?;
                if let Some((again, _)) = kinds.insert(kind.kind.clone(), (kind, file)) {
                    return Err(wrong(format!("{}: described twice", again.kind)));
                }
            }
        }
        let names: BTreeSet<&str> = kinds.keys().map(String::as_str).collect();
        for (kind, file) in kinds.values() {
            if let Some(missing) = kind.parents().find(|parent| !names.contains(parent)) {
                return Err(ResourceTableError {
                    file: (*file).to_owned(),
                    problem: format!("{}: no kind {missing:?}", kind.kind),
                });
            }
        }
        Ok(Self { kinds: kinds.into_values().map(|(kind, _)| kind).collect() })
    }

    /// The kind of this name.
    pub fn get(&self, kind: &str) -> Option<&ResourceKind> {
        let at = self.kinds.binary_search_by(|known| known.kind.as_str().cmp(kind)).ok()?;
        self.kinds.get(at)
    }

    /// Every kind, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &ResourceKind> {
        self.kinds.iter()
    }

    /// Every kind, those that others live in first; otherwise sorted by name.
    pub fn parents_first(&self) -> Vec<&ResourceKind> {
        let mut out: Vec<&ResourceKind> = Vec::with_capacity(self.kinds.len());
        let mut rest: Vec<&ResourceKind> = self.kinds.iter().collect();
        while !rest.is_empty() {
            let (ready, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|kind| {
                kind.parents()
                    .all(|parent| parent == kind.kind || out.iter().any(|done| done.kind == parent))
            });
            // Kinds that live in each other: no order is right, any will do.
            if ready.is_empty() {
                out.extend(later);
                break;
            }
            out.extend(ready);
            rest = later;
        }
        out
    }
}

impl ResourceKind {
    /// The ARN of an object of this kind. `name` may start with a slash (a parameter's name): it is
    /// not doubled.
    pub fn arn_of(&self, partition: &str, region: &str, account: &str, name: &str) -> String {
        self.arn_within(partition, region, account, "", name)
    }

    /// The ARN of an object that lives inside the object called `parent`.
    pub fn arn_within(
        &self,
        partition: &str,
        region: &str,
        account: &str,
        parent: &str,
        name: &str,
    ) -> String {
        let name = match name.strip_prefix('/') {
            Some(rest) if self.arn.contains("/{name}") => rest,
            _ => name,
        };
        fill(&self.arn, |key| match key {
            "partition" => Some(partition),
            "region" => Some(region),
            "account" => Some(account),
            "parent-name" => Some(parent),
            "name" => Some(name),
            _ => None,
        })
    }

    /// Whether this is the beginning of an ARN of this kind, up to the name.
    pub fn begins_with(&self, start: &str) -> bool {
        let form = self.arn.split_once("{name}").map_or(&*self.arn, |(before, _)| before);
        let (mut form, mut start) = (form.splitn(6, ':'), start.splitn(6, ':'));
        let hole = |part: &str| part.starts_with('{') && part.ends_with('}');
        (0..6).all(|_| match (form.next(), start.next()) {
            (Some(form), Some(start)) => hole(form) || form == start,
            (form, start) => form.is_none() && start.is_none(),
        })
    }

    /// Whether objects of this kind can have a resource policy that the table says where to find.
    pub fn has_policy(&self) -> bool {
        self.sources.iter().any(|source| source.policy.is_some())
            || self.details.iter().any(|detail| detail.policy.is_some())
    }

    /// Every attribute that the table names, sorted.
    pub fn attributes(&self) -> BTreeSet<&str> {
        self.sources
            .iter()
            .flat_map(|source| source.attributes.keys())
            .chain(self.details.iter().flat_map(|detail| detail.attributes.keys()))
            .chain(self.links.keys())
            .map(String::as_str)
            .collect()
    }

    /// The attributes whose values name objects of a kind.
    pub fn naming(&self, kind: &str) -> BTreeSet<&str> {
        let details = self.details.iter().map(|detail| &detail.attributes);
        let all = self.sources.iter().map(|source| &source.attributes).chain(details).flatten();
        all.filter(|(_, form)| form.object() == Some(kind)).map(|(name, _)| name.as_str()).collect()
    }

    fn attribute_forms(&mut self) -> impl Iterator<Item = &mut AttributeForm> {
        let sources = self.sources.iter_mut().flat_map(|source| source.attributes.values_mut());
        sources.chain(self.details.iter_mut().flat_map(|detail| detail.attributes.values_mut()))
    }

    /// The kinds whose objects have a file each that lists objects of this kind.
    fn parents(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().flat_map(|source| source.file.iter()).filter_map(parent_of)
    }
}

/// A pointer without what it says of the values on its way: a JSON pointer if it has no `*`.
pub fn plain_pointer(pointer: &str) -> String {
    let (places, _) = pointer.split_once(' ').unwrap_or((pointer, ""));
    places.replace('!', "")
}

/// The kind in a file's argument: `ecs:cluster` in `ecs/describe-tasks/{ecs:cluster}`.
pub fn parent_of(file: &str) -> Option<&str> {
    let (_, rest) = file.split_once('{')?;
    let (inside, _) = rest.split_once('}')?;
    inside.contains(':').then_some(inside)
}

impl NameForm {
    /// The alphabet as inclusive ranges, in order. `None` if a range runs backwards.
    pub fn ranges(&self) -> Option<Vec<(char, char)>> {
        let mut ranges = Vec::new();
        let mut rest = self.alphabet.chars().peekable();
        while let Some(low) = rest.next() {
            let mut ahead = rest.clone();
            match (ahead.next(), ahead.next()) {
                (Some('-'), Some(high)) => {
                    if high < low {
                        return None;
                    }
                    ranges.push((low, high));
                    rest = ahead;
                }
                _ => ranges.push((low, low)),
            }
        }
        ranges.sort_unstable();
        Some(ranges)
    }
}

fn check(kind: &ResourceKind) -> Result<(), String> {
    if !kind.kind.contains(':') {
        return Err("a kind is `service:type`".to_owned());
    }
    if !kind.arn.contains("{name}") {
        return Err("the form of the ARN has no {name}".to_owned());
    }
    if kind.name.ranges().is_none() || kind.name.length.0 > kind.name.length.1 {
        return Err("a range of the name's grammar runs backwards".to_owned());
    }
    for source in &kind.sources {
        if source.arn.is_none() && source.name.is_none() {
            return Err("a source needs the ARN or the name".to_owned());
        }
        if !(source.items.is_empty() || source.items.starts_with('/')) {
            return Err(format!("{:?} is no JSON pointer", source.items));
        }
        if source.file.iter().any(|file| file.contains('*')) && source.complete {
            return Err("files that happen to be there cannot be a complete list".to_owned());
        }
    }
    for detail in &kind.details {
        let about_one = detail.file.iter().all(|file| file.contains('{'));
        if about_one == detail.key.is_some() {
            return Err("details need an argument in the file or else a key".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> ResourceKinds {
        ResourceKinds::builtin().unwrap()
    }

    fn check_refused(table: &str, why: &str) {
        let error = ResourceKinds::from_tables([("t.json", table)]).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }

    #[test]
    fn the_builtin_tables_can_be_read() {
        assert!(kinds().get("lambda:function").is_some());
        assert!(kinds().get("lambda:nothing").is_none());
    }

    #[test]
    fn an_arn_is_made_from_its_form() {
        let kinds = kinds();
        let arn = |kind: &str, name: &str| {
            kinds.get(kind).unwrap().arn_of("aws", "eu-west-1", "111111111111", name)
        };
        assert_eq!(arn("lambda:function", "f"), "arn:aws:lambda:eu-west-1:111111111111:function:f");
        assert_eq!(arn("iam:role", "r"), "arn:aws:iam::111111111111:role/r");
        assert_eq!(
            arn("ssm:parameter", "/a/b"),
            "arn:aws:ssm:eu-west-1:111111111111:parameter/a/b"
        );
    }

    #[test]
    fn an_alphabet_is_read_as_ranges() {
        let form = |alphabet: &str| NameForm {
            alphabet: alphabet.to_owned(),
            length: (1, 2),
            reserved: Vec::new(),
        };
        let expected = [('-', '-'), ('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
        assert_eq!(form("a-zA-Z0-9_-").ranges().unwrap(), expected);
        assert!(form("z-a").ranges().is_none());
    }

    #[test]
    fn an_arn_begins_as_its_kind_says() {
        let kinds = kinds();
        let check = |start: &str, expected: bool| {
            let begins = kinds.get("ssm:document").unwrap().begins_with(start);
            assert_eq!(begins, expected, "{start}");
        };
        check("arn:aws:ssm:us-east-1:111111111111:document/", true);
        check("arn:aws:ssm:us-east-1:anybody:document/", true);
        check("arn:aws:ssm:us-east-1:111111111111:parameter/", false);
        check("arn:aws:ssm:us-east-1", false);
    }

    #[test]
    fn a_kind_comes_after_the_kind_it_lives_in() {
        let kinds = kinds();
        let order: Vec<&str> =
            kinds.parents_first().iter().map(|kind| kind.kind.as_str()).collect();
        let place = |kind: &str| order.iter().position(|known| *known == kind).unwrap();
        assert!(place("ecs:cluster") < place("ecs:service"));
        assert!(place("opensearch:domain") < place("opensearch:internal-user"));
        assert_eq!(order.len(), kinds.iter().count());
    }

    #[test]
    fn a_table_with_a_mistake_is_refused() {
        check_refused("{", "EOF");
        check_refused(r#"{"kinds": [{"kind": "a:b", "typo": 1}]}"#, "unknown field");
        let kind = |arn: &str, file: &str| {
            format!(
                r#"{{"kinds": [{{"kind": "a:b", "arn": "{arn}",
                "name": {{"alphabet": "a-z", "length": [1, 2]}},
                "sources": [{{"file": "{file}", "name": ""}}]}}]}}"#
            )
        };
        check_refused(&kind("arn", "a/list"), "no {name}");
        check_refused(&kind("{name}", "a/list/{c:d}"), "no kind \"c:d\"");
        check_refused(&kind("{name}", "a/list/*"), "complete list");
        let written = kind("{name}", "a/list").replace(
            r#""name": ""}"#,
            r#""name": "", "attributes": {"a": {"at": "/a", "written": "uri"}}}"#,
        );
        check_refused(&written, "no form \"uri\"");
        let both = [("1", kind("{name}", "a/l")), ("2", kind("{name}", "a/l"))];
        let both = both.iter().map(|(file, text)| (*file, text.as_str()));
        assert!(ResourceKinds::from_tables(both).unwrap_err().problem.contains("twice"));
    }
}
