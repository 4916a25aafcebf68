//! The text of policies as it stands in a snapshot's files, for who wants to look at it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::details::{Details, InlinePolicy};
use super::documents::decode;
use super::json_text::{JsonText, statements, value_in};
use super::pointer::select;

/// A place in a file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// JSON pointer (RFC 6901).
    pub pointer: String,
    /// First and last line, from 1.
    pub lines: (usize, usize),
}

/// A policy document as a file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// Where in the file; nothing for a document that is in no file.
    pub place: Option<Place>,
    /// The document, decoded and laid out anew: one member on each line.
    pub text: Arc<str>,
    /// The statements, by position.
    pub statements: Vec<StatementText>,
}

/// A statement of a policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementText {
    /// Where in the file. Where the file holds the document as a text, that is the whole document.
    pub place: Option<Place>,
    /// First and last line, from 1, in [`PolicyText::text`].
    pub lines: (usize, usize),
}

impl PolicyText {
    /// A document that is in no file.
    pub fn of_document(document: &str) -> Self {
        Self::new(document, None, |_| None)
    }

    /// The document that `raw` is, a part of `file` at this pointer: an object, or a string with
    /// the document as JSON, URL-encoded or not. Nothing if it is neither.
    fn of_file(file: &JsonText, raw: &str, pointer: String) -> Option<Self> {
        let place = Place { pointer: pointer.clone(), lines: file.lines(raw)? };
        if !raw.starts_with('"') {
            let within = |at: &str| {
                let lines = file.lines(value_in(raw, at)?)?;
                Some(Place { pointer: format!("{pointer}{at}"), lines })
            };
            return Some(Self::new(raw, Some(place), within));
        }
        let text: String = serde_json::from_str(raw).ok()?;
        let whole = place.clone();
        Some(Self::new(&decode(&text).ok()?, Some(place), |_| Some(whole.clone())))
    }

    fn new(document: &str, place: Option<Place>, within: impl Fn(&str) -> Option<Place>) -> Self {
        let laid_out = serde_json::from_str::<Value>(document)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_else(|_| document.to_owned());
        let text = JsonText::new(laid_out);
        let statements = statements(text.as_str())
            .into_iter()
            .filter_map(|(pointer, part)| {
                Some(StatementText { place: within(&pointer), lines: text.lines(part)? })
            })
            .collect();
        Self { place, text: text.as_str().into(), statements }
    }
}

/// Which document of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    /// An inline policy of a user, role or group.
    Inline {
        /// Its ARN.
        holder: Arc<str>,
        /// The policy's name.
        name: Arc<str>,
    },
    /// The trust policy of the role with this ARN.
    Trust(Arc<str>),
    /// A version of a managed policy.
    Managed {
        /// Its ARN.
        policy: Arc<str>,
        /// The version: `v1`.
        version: Arc<str>,
    },
    /// What stands at a pointer.
    At(String),
    /// What stands at a pointer within the item that holds one of the names.
    OfItem {
        /// Where the items are; `*` stands for every element.
        items: String,
        /// Name and ARN.
        names: Vec<Arc<str>>,
        /// Pointer within the item.
        pointer: String,
    },
}

/// Documents of one file.
pub struct PolicyTexts<'a> {
    file: &'a JsonText,
    /// Those of IAM's details, with their pointers.
    details: HashMap<Wanted, (String, &'a str)>,
}

impl<'a> PolicyTexts<'a> {
    /// Looks through a file.
    pub fn of(file: &'a JsonText) -> Self {
        let mut details = HashMap::new();
        if let Ok(read) = serde_json::from_str::<Details<'a>>(file.as_str()) {
            collect(&read, &mut details);
        }
        Self { file, details }
    }

    /// The documents of IAM's details, each with its JSON pointer, in no order.
    pub fn of_details(&self) -> impl Iterator<Item = (&Wanted, &str)> {
        self.details.iter().map(|(wanted, (pointer, _))| (wanted, pointer.as_str()))
    }

    /// A document; nothing if the file does not hold it.
    pub fn get(&self, wanted: &Wanted) -> Option<PolicyText> {
        let (pointer, raw) = match wanted {
            Wanted::At(pointer) => (pointer.clone(), self.file.get(pointer)?),
            Wanted::OfItem { items, names, pointer } => {
                let root: Value = serde_json::from_str(self.file.as_str()).ok()?;
                let items = select(&root, items, true).ok()?;
                let named = |item: &Value| match item {
                    Value::String(text) => names.iter().any(|name| **name == **text),
                    Value::Object(members) => members
                        .values()
                        .filter_map(Value::as_str)
                        .any(|text| names.iter().any(|name| **name == *text)),
                    _ => false,
                };
                let item = items.into_iter().find(|item| named(item.value))?;
                let pointer = format!("{}{pointer}", item.at);
                let raw = self.file.get(&pointer)?;
                (pointer, raw)
            }
            wanted => {
                let (pointer, raw) = self.details.get(wanted)?;
                (pointer.clone(), *raw)
            }
        };
        PolicyText::of_file(self.file, raw, pointer)
    }
}

fn collect<'a>(details: &Details<'a>, out: &mut HashMap<Wanted, (String, &'a str)>) {
    let mut inline = |list: &str, at: usize, of: &str, policies: &Option<Vec<InlinePolicy<'a>>>| {
        let kind = list.strip_suffix("DetailList").unwrap_or(list);
        for (position, policy) in policies.iter().flatten().enumerate() {
            let (Some(name), Some(document)) = (&policy.policy_name, policy.policy_document) else {
                continue;
            };
            let wanted = Wanted::Inline { holder: of.into(), name: (**name).into() };
            let pointer = format!("/{list}/{at}/{kind}PolicyList/{position}/PolicyDocument");
            out.entry(wanted).or_insert((pointer, document.get()));
        }
    };
    for (at, user) in details.user_detail_list.iter().flatten().enumerate() {
        let arn = user.arn.as_deref().unwrap_or_default();
        inline("UserDetailList", at, arn, &user.user_policy_list);
    }
    for (at, group) in details.group_detail_list.iter().flatten().enumerate() {
        let arn = group.arn.as_deref().unwrap_or_default();
        inline("GroupDetailList", at, arn, &group.group_policy_list);
    }
    for (at, role) in details.role_detail_list.iter().flatten().enumerate() {
        let arn = role.arn.as_deref().unwrap_or_default();
        inline("RoleDetailList", at, arn, &role.role_policy_list);
    }
    trusts(details, out);
    managed(details, out);
}

fn trusts<'a>(details: &Details<'a>, out: &mut HashMap<Wanted, (String, &'a str)>) {
    for (at, role) in details.role_detail_list.iter().flatten().enumerate() {
        if let (Some(arn), Some(raw)) = (role.arn.as_deref(), role.assume_role_policy_document) {
            let pointer = format!("/RoleDetailList/{at}/AssumeRolePolicyDocument");
            out.entry(Wanted::Trust(arn.into())).or_insert((pointer, raw.get()));
        }
    }
}

fn managed<'a>(details: &Details<'a>, out: &mut HashMap<Wanted, (String, &'a str)>) {
    for (at, policy) in details.policies.iter().flatten().enumerate() {
        let Some(arn) = policy.arn.as_deref() else { continue };
        for (position, version) in policy.policy_version_list.iter().flatten().enumerate() {
            let (Some(id), Some(raw)) = (version.version_id.as_deref(), version.document) else {
                continue;
            };
            let pointer = format!("/Policies/{at}/PolicyVersionList/{position}/Document");
            let wanted = Wanted::Managed { policy: arn.into(), version: id.into() };
            out.entry(wanted).or_insert((pointer, raw.get()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETAILS: &str = r#"{
  "UserDetailList": [
    {"Arn": "arn:aws:iam::111111111111:user/alice", "UserPolicyList": [
      {"PolicyName": "own", "PolicyDocument": {"Statement": [
        {"Sid": "First"},
        {"Sid": "Second",
         "Effect": "Allow"}
      ]}}
    ]}
  ],
  "RoleDetailList": [
    {"Arn": "arn:aws:iam::111111111111:role/r", "AssumeRolePolicyDocument":
      "%7B%22Statement%22%3A%7B%22Sid%22%3A%22Trust%22%7D%7D"}
  ],
  "Policies": [
    {"Arn": "arn:aws:iam::111111111111:policy/p", "PolicyVersionList": [
      {"VersionId": "v2", "Document": {"Statement": []}},
      {"VersionId": "v1", "Document": {"Statement": [{}]}}
    ]}
  ]
}"#;

    fn check(wanted: &Wanted, pointers: &[(&str, (usize, usize))]) -> PolicyText {
        let file = JsonText::new(DETAILS.to_owned());
        let found = PolicyTexts::of(&file).get(wanted).unwrap();
        let places: Vec<_> = found
            .place
            .iter()
            .chain(found.statements.iter().filter_map(|statement| statement.place.as_ref()))
            .map(|place| (place.pointer.as_str(), place.lines))
            .collect();
        assert_eq!(places, pointers);
        found
    }

    #[test]
    fn every_statement_of_an_inline_policy_has_its_lines() {
        let wanted = Wanted::Inline {
            holder: "arn:aws:iam::111111111111:user/alice".into(),
            name: "own".into(),
        };
        let document = "/UserDetailList/0/UserPolicyList/0/PolicyDocument";
        let first = format!("{document}/Statement/0");
        let second = format!("{document}/Statement/1");
        let found = check(&wanted, &[(document, (4, 8)), (&first, (5, 5)), (&second, (6, 7))]);
        let line = found.text.lines().nth(found.statements[1].lines.0).unwrap();
        assert_eq!(line.trim(), r#""Sid": "Second","#);
    }

    #[test]
    fn a_document_in_a_text_is_decoded_and_stands_where_the_text_does() {
        let wanted = Wanted::Trust("arn:aws:iam::111111111111:role/r".into());
        let pointer = "/RoleDetailList/0/AssumeRolePolicyDocument";
        let found = check(&wanted, &[(pointer, (13, 13)), (pointer, (13, 13))]);
        assert!(found.text.contains("\"Sid\": \"Trust\""), "{}", found.text);
    }

    #[test]
    fn a_version_of_a_managed_policy_is_its_own_document() {
        let policy: Arc<str> = "arn:aws:iam::111111111111:policy/p".into();
        let pointer = "/Policies/0/PolicyVersionList/1/Document";
        let statement = format!("{pointer}/Statement/0");
        check(
            &Wanted::Managed { policy, version: "v1".into() },
            &[(pointer, (18, 18)), (&statement, (18, 18))],
        );
    }

    #[test]
    fn an_item_is_found_by_its_name() {
        let text = r#"{"List": [{"Id": "a", "Policy": "{}"}, {"Id": "b", "Policy": "{\"Statement\": []}"}]}"#;
        let file = JsonText::new(text.to_owned());
        let wanted = Wanted::OfItem {
            items: "/List/*".into(),
            names: vec!["b".into()],
            pointer: "/Policy".into(),
        };
        let found = PolicyTexts::of(&file).get(&wanted).unwrap();
        assert_eq!(found.place.unwrap().pointer, "/List/1/Policy");
        assert_eq!(PolicyTexts::of(&file).get(&Wanted::At("/Other".into())), None);
    }
}
