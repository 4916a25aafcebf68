//! Where the values of an object's attributes are in a response, and how they are read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::form::{fill, holes, read};

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

/// Where an attribute's values are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeForm {
    /// A pointer or a template.
    Plain(String),
    /// More than that.
    Full(Box<FullAttribute>),
}

/// Where an attribute's values are, and what is made of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FullAttribute {
    /// Pointers or templates; the first that gives a value counts.
    pub at: OneOrMany,
    /// Only this value is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// The values name objects of this kind, by ARN or by name: made ARNs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The values, of all of `at`, are texts in which access keys may lie: what is kept are the users
    /// whose keys are shown with their secrets. Always an attribute called `credentials`, or
    /// `...-credentials` by the call that shows them; without value where the response was not asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub access_keys: bool,
    /// Two pointers from each place that `at` gives: every value of the first with every value of
    /// the second, a space between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<(String, String)>,
    /// How a value is written, if it is not what it stands for.
    #[serde(default)]
    pub written: Written,
}

impl AttributeForm {
    /// The kind of object that the values name, if they do.
    pub(crate) fn object(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Full(full) => full.object.as_deref(),
        }
    }
}

impl FullAttribute {
    /// What a value stands for: itself, unless the table says how it is written.
    pub fn meaning(&self, value: &str, place: impl Fn(&str) -> Option<String>) -> Option<String> {
        let Written::Forms(forms) = &self.written else { return None };
        if forms.is_empty() {
            return Some(value.to_owned());
        }
        let (parts, meaning) = forms
            .iter()
            .find_map(|(form, meaning)| read(form, value).map(|parts| (parts, meaning)))?;
        let mut known: BTreeMap<&str, String> = BTreeMap::new();
        for key in holes(meaning) {
            let part =
                parts.iter().find(|(hole, _)| *hole == key).map(|(_, text)| (*text).to_owned());
            known.insert(key, part.or_else(|| place(key))?);
        }
        let text = fill(meaning, |key| known.get(key).map(String::as_str));
        (!text.is_empty()).then_some(text)
    }
}

/// Forms that a value may be written in, each with what it then stands for: `s3://{bucket}/{key}` and
/// an ARN. The first that fits counts, an empty one stands for nothing; a value in no form is none.
pub type Forms = Vec<(String, String)>;

/// How a value is written.
///
/// Invariant: in [`crate::ResourceKinds`] it is [`Written::Forms`]; reading the tables puts a form
/// in the place of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Written {
    /// By name: as the table says in its `forms`.
    Named(String),
    /// In one of these forms; none of them means that it is what it stands for.
    Forms(Forms),
}

impl Default for Written {
    fn default() -> Self {
        Self::Forms(Forms::new())
    }
}

impl AttributeForm {
    /// Puts the forms of a table in the place of their name. Fails if there are none of the name.
    pub(crate) fn name_forms(&mut self, forms: &BTreeMap<String, Forms>) -> Result<(), String> {
        let Self::Full(full) = self else { return Ok(()) };
        if let Written::Named(name) = &full.written {
            let known = forms.get(name).ok_or_else(|| format!("no form {name:?}"))?;
            full.written = Written::Forms(known.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_is_written() {
        let attribute = FullAttribute {
            at: OneOrMany::One("/image".to_owned()),
            only: None,
            object: None,
            access_keys: false,
            pairs: None,
            written: Written::Forms(
                [
                    ("{account}.ecr.{region}/{name}@{digest}", ""),
                    (
                        "{account}.ecr.{region}/{name}:{tag}",
                        "arn:{partition}:{region}:{account}:{name}",
                    ),
                    ("s3://{bucket}/{key}", "arn:{partition}:s3:::{bucket}/{key}"),
                ]
                .map(|(form, meaning)| (form.to_owned(), meaning.to_owned()))
                .into(),
            ),
        };
        let place = |key: &str| (key == "partition").then(|| "aws-cn".to_owned());
        let meaning = |value: &str| attribute.meaning(value, place);
        assert_eq!(meaning("1.ecr.r/a/b:t").as_deref(), Some("arn:aws-cn:r:1:a/b"));
        assert_eq!(meaning("s3://b/k/é").as_deref(), Some("arn:aws-cn:s3:::b/k/é"));
        for nothing in
            ["1.ecr.r/a/b@d", "1.ecr.r/a/b", "s3://b/", "s3:///k", "é.ecr.", "", "nginx:1"]
        {
            assert_eq!(meaning(nothing), None, "{nothing:?}");
        }
    }
}
