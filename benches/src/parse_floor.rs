//! The parse floor: what serde_json needs to read a snapshot's files, and nothing else.
//!
//! Everything is read into typed structs that borrow from the text. Documents are kept as raw text
//! ([`Documents::Raw`]: the least that any reader has to do) or read into typed structs as well
//! ([`Documents::Typed`]: what a reader has to do that looks at every document).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// What is done with policy documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Documents {
    /// Kept as text.
    Raw,
    /// Read into statements.
    Typed,
}

/// What was read, so that the work cannot be optimized away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// Files.
    pub files: usize,
    /// Bytes of all files.
    pub bytes: usize,
    /// Users and roles.
    pub principals: usize,
    /// Policy documents.
    pub documents: usize,
    /// Statements of those documents that were read into structs.
    pub statements: usize,
}

/// Parses files that are in memory; `files` as of [`crate::Account::files`].
///
/// # Errors
///
/// The first file that is not what its name says.
pub fn parse(files: &[(PathBuf, String)], documents: Documents) -> io::Result<Floor> {
    let mut floor = Floor::default();
    for (path, text) in files {
        parse_file(path, text, documents, &mut floor)?;
    }
    Ok(floor)
}

/// Reads and parses every JSON file below `folder`, one after the other.
///
/// # Errors
///
/// The first file or folder that cannot be read, or file that is not what its name says.
pub fn read(folder: &Path, documents: Documents) -> io::Result<Floor> {
    let mut floor = Floor::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(&path)?;
                parse_file(&path, &text, documents, &mut floor)?;
            }
        }
    }
    Ok(floor)
}

fn parse_file(path: &Path, text: &str, documents: Documents, floor: &mut Floor) -> io::Result<()> {
    floor.files += 1;
    floor.bytes += text.len();
    let parsed = if path.ends_with("iam/get-account-authorization-details.json") {
        match documents {
            Documents::Raw => serde_json::from_str::<Details<'_, &RawValue>>(text).map(|details| {
                details.count(floor, |_| 0);
            }),
            Documents::Typed => {
                serde_json::from_str::<Details<'_, Document<'_>>>(text).map(|details| {
                    details.count(floor, |document| match &document.statement {
                        OneOrMany::One(_) => 1,
                        OneOrMany::Many(statements) => statements.len(),
                    });
                })
            }
        }
    } else {
        // What the other responses hold differs by service: their structure is checked, their
        // fields are not.
        serde_json::from_str::<IgnoredAny>(text).map(drop)
    };
    parsed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{path:?}: {error}")))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound(deserialize = "D: Deserialize<'de>"))]
struct Details<'a, D> {
    #[serde(borrow, default)]
    user_detail_list: Vec<Principal<'a, D>>,
    #[serde(borrow, default)]
    group_detail_list: Vec<Principal<'a, D>>,
    #[serde(borrow, default)]
    role_detail_list: Vec<Principal<'a, D>>,
    #[serde(borrow, default)]
    policies: Vec<Policy<'a, D>>,
}

impl<D> Details<'_, D> {
    fn count(&self, floor: &mut Floor, statements: impl Fn(&D) -> usize) {
        floor.principals += self.user_detail_list.len() + self.role_detail_list.len();
        let mut count = |document: &D| {
            floor.documents += 1;
            floor.statements += statements(document);
        };
        for principal in self
            .user_detail_list
            .iter()
            .chain(&self.group_detail_list)
            .chain(&self.role_detail_list)
        {
            principal.assume_role_policy_document.iter().for_each(&mut count);
            principal.inline.iter().for_each(|policy| count(&policy.policy_document));
        }
        for policy in &self.policies {
            policy.policy_version_list.iter().for_each(|version| count(&version.document));
        }
    }
}

/// A user, group or role: the fields that any of them has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound(deserialize = "D: Deserialize<'de>"))]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Principal<'a, D> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow, alias = "UserName", alias = "GroupName", alias = "RoleName")]
    name: Cow<'a, str>,
    #[serde(borrow, alias = "UserId", alias = "GroupId", alias = "RoleId")]
    id: Cow<'a, str>,
    #[serde(borrow)]
    arn: Cow<'a, str>,
    #[serde(default = "Option::default")]
    assume_role_policy_document: Option<D>,
    #[serde(
        borrow,
        default = "Vec::new",
        alias = "UserPolicyList",
        alias = "GroupPolicyList",
        alias = "RolePolicyList"
    )]
    inline: Vec<Inline<'a, D>>,
    #[serde(borrow, default)]
    attached_managed_policies: Vec<Attached<'a>>,
    #[serde(borrow, default)]
    group_list: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    permissions_boundary: Option<Boundary<'a>>,
    #[serde(borrow, default)]
    instance_profile_list: Vec<Profile<'a>>,
    #[serde(borrow, default)]
    tags: Vec<Tag<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound(deserialize = "D: Deserialize<'de>"))]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Inline<'a, D> {
    #[serde(borrow)]
    policy_name: Cow<'a, str>,
    policy_document: D,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Attached<'a> {
    #[serde(borrow)]
    policy_arn: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Boundary<'a> {
    #[serde(borrow)]
    permissions_boundary_arn: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Profile<'a> {
    #[serde(borrow)]
    arn: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Tag<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound(deserialize = "D: Deserialize<'de>"))]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Policy<'a, D> {
    #[serde(borrow)]
    arn: Cow<'a, str>,
    #[serde(borrow)]
    policy_version_list: Vec<Version<'a, D>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound(deserialize = "D: Deserialize<'de>"))]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Version<'a, D> {
    #[serde(borrow)]
    version_id: Cow<'a, str>,
    is_default_version: bool,
    document: D,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    #[serde(borrow)]
    statement: OneOrMany<Statement<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "what is read is not used: reading is what is measured")]
struct Statement<'a> {
    #[serde(borrow, default)]
    sid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    effect: Cow<'a, str>,
    #[serde(borrow, default)]
    principal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    action: Texts<'a>,
    #[serde(borrow, default)]
    not_action: Texts<'a>,
    #[serde(borrow, default)]
    resource: Texts<'a>,
    #[serde(borrow, default)]
    not_resource: Texts<'a>,
    #[serde(borrow, default)]
    condition: BTreeMap<Cow<'a, str>, BTreeMap<Cow<'a, str>, Texts<'a>>>,
}

/// One value where IAM allows several.
#[derive(Debug)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// One text or several.
#[derive(Debug, Default)]
struct Texts<'a>(Vec<Cow<'a, str>>);

// Written by hand: serde's `untagged` first copies what it reads, which is no floor.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object or a list of objects")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<Self::Value, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    .map(OneOrMany::One)
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                seq: A,
            ) -> Result<Self::Value, A::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))
                    .map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(Visitor(std::marker::PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Texts<'de>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a text or a list of texts")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Texts(vec![Cow::Borrowed(text)]))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Texts(vec![Cow::Owned(text.to_owned())]))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Texts(vec![Cow::Borrowed(if value { "true" } else { "false" })]))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Texts(vec![Cow::Owned(value.to_string())]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(Texts(mut text)) = seq.next_element()? {
                    texts.append(&mut text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
