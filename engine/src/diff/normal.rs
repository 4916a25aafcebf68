//! Snapshot files in a form in which changes can be found and undone one by one.
//!
//! Policy documents that responses hold as text become objects, and the default version of a
//! managed policy is taken out of the list of versions, since every edit of a managed policy is a
//! new version. [`written`] puts both back.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// The member that holds a policy document that is text in the file.
pub(super) const POLICY_TEXT: &str = "\u{0}policy";

/// The member of a managed policy that holds its default version's document.
pub(super) const DEFAULT_DOCUMENT: &str = "\u{0}default";

/// Whether IAM's own documents are in the file, which may be text or objects.
pub(super) fn is_details(place: &str) -> bool {
    place.is_empty() || place.ends_with("/iam/get-account-authorization-details.json")
}

/// A file's content in normal form; `None` if it is no JSON.
pub(super) fn normal(place: &str, text: &str) -> Option<Value> {
    let mut value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    decode(&mut value, is_details(place));
    if is_details(place)
        && let Some(Value::Array(policies)) = value.get_mut("Policies")
    {
        policies.iter_mut().filter_map(Value::as_object_mut).for_each(take_default_out);
    }
    Some(value)
}

/// The text of a file in normal form.
pub(super) fn written(place: &str, mut value: Value) -> String {
    if is_details(place)
        && let Some(Value::Array(policies)) = value.get_mut("Policies")
    {
        policies.iter_mut().filter_map(Value::as_object_mut).for_each(put_default_back);
    }
    encode(&mut value);
    value.to_string()
}

fn decode(value: &mut Value, details: bool) {
    match value {
        Value::String(text) => {
            if let Some(mut policy) = policy(text) {
                statements_as_list(&mut policy);
                *value = if details {
                    policy
                } else {
                    Value::Object(Map::from_iter([(POLICY_TEXT.to_owned(), policy)]))
                };
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|one| decode(one, details)),
        Value::Object(members) => {
            members.values_mut().for_each(|one| decode(one, details));
            if members.contains_key("Version") || members.contains_key("Statement") {
                statements_as_list(value);
            }
        }
        _ => {}
    }
}

fn encode(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(encode),
        Value::Object(members) => match members.get(POLICY_TEXT) {
            Some(policy) => *value = Value::String(policy.to_string()),
            None => members.values_mut().for_each(encode),
        },
        _ => {}
    }
}

/// The policy document that a text holds, URL-encoded or not.
fn policy(text: &str) -> Option<Value> {
    let trimmed = text.trim();
    let decoded;
    let json = if trimmed.starts_with('{') {
        trimmed
    } else if trimmed.starts_with('%') {
        decoded = percent_decode_str(trimmed).decode_utf8().ok()?;
        &*decoded
    } else {
        return None;
    };
    serde_json::from_str(json).ok().filter(|value: &Value| value.get("Statement").is_some())
}

/// A single statement may stand without a list.
fn statements_as_list(policy: &mut Value) {
    if let Some(statement) = policy.get_mut("Statement")
        && statement.is_object()
    {
        *statement = Value::Array(vec![statement.take()]);
    }
}

fn take_default_out(policy: &mut Map<String, Value>) {
    let Some(default) = default_version(policy) else { return };
    let Some(Value::Array(versions)) = policy.get_mut("PolicyVersionList") else { return };
    let mut document = None;
    for version in versions.iter_mut().filter_map(Value::as_object_mut) {
        version.remove("IsDefaultVersion");
        if version.get("VersionId").and_then(Value::as_str) == Some(&*default) {
            document = version.remove("Document");
        }
    }
    if let Some(document) = document {
        policy.insert("DefaultVersionId".to_owned(), Value::String(default));
        policy.insert(DEFAULT_DOCUMENT.to_owned(), document);
    }
}

/// The id of the default version.
fn default_version(policy: &Map<String, Value>) -> Option<String> {
    let versions = policy.get("PolicyVersionList")?.as_array()?;
    let marked = versions
        .iter()
        .find(|version| version.get("IsDefaultVersion").and_then(Value::as_bool) == Some(true));
    let id = marked
        .and_then(|version| version.get("VersionId"))
        .or_else(|| policy.get("DefaultVersionId"))?;
    id.as_str().map(str::to_owned)
}

fn put_default_back(policy: &mut Map<String, Value>) {
    let Some(document) = policy.remove(DEFAULT_DOCUMENT) else { return };
    let Some(default) = policy.get("DefaultVersionId").and_then(Value::as_str) else { return };
    let default = default.to_owned();
    let Some(Value::Array(versions)) = policy.get_mut("PolicyVersionList") else { return };
    let is_default =
        |version: &Value| version.get("VersionId").and_then(Value::as_str) == Some(&default);
    // With only some changes made, the default version may not be listed, or a version be left
    // whose document was the default one.
    if !versions.iter().any(is_default) {
        let id = Value::String(default.clone());
        versions.push(Value::Object(Map::from_iter([("VersionId".to_owned(), id)])));
    }
    versions.retain(|version| is_default(version) || version.get("Document").is_some());
    for version in versions {
        let marked = is_default(version);
        if let Some(members) = version.as_object_mut() {
            members.insert("IsDefaultVersion".to_owned(), Value::Bool(marked));
            if marked {
                members.insert("Document".to_owned(), document.clone());
            }
        }
    }
}

/// A value with everything in one order and no list around a single value, to compare by: lists in
/// responses and policies have no order that means anything.
pub(super) fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(elements) => {
            let mut elements: Vec<Value> = elements.iter().map(canonical).collect();
            elements.sort_by_cached_key(Value::to_string);
            match elements.as_slice() {
                [Value::String(one)] => Value::String(one.clone()),
                _ => Value::Array(elements),
            }
        }
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> =
                members.iter().map(|(name, value)| (name.clone(), canonical(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLACE: &str = "accounts/111111111111/global/iam/get-account-authorization-details.json";

    fn check(place: &str, value: &Value, expected: &Value) {
        let text = written(place, normal(place, &value.to_string()).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), *expected);
    }

    #[test]
    fn a_default_version_is_put_back_where_it_was() {
        let document = json!({ "Statement": [{ "Effect": "Allow" }] });
        let policy = |first: bool| {
            json!({ "Policies": [{ "DefaultVersionId": if first { "v1" } else { "v2" },
                "PolicyVersionList": [
                    { "VersionId": "v1", "IsDefaultVersion": first, "Document": document },
                    { "VersionId": "v2", "IsDefaultVersion": !first, "Document": document }] }] })
        };
        check(PLACE, &policy(true), &policy(true));
        check(PLACE, &policy(false), &policy(false));
    }

    #[test]
    fn a_policy_that_is_text_stays_text() {
        let document = json!({ "Statement": [{ "Effect": "Allow" }] });
        let value = json!({ "Policy": document.to_string() });
        check("accounts/1/global/s3api/get-bucket-policy/b.json", &value, &value);
    }

    #[test]
    fn what_means_the_same_is_equal() {
        let one = json!({ "Action": ["b", "a"], "Effect": "Allow" });
        let other = json!({ "Effect": "Allow", "Action": ["a", "b"] });
        assert_eq!(canonical(&one), canonical(&other));
        assert_eq!(canonical(&json!({ "Action": ["a"] })), canonical(&json!({ "Action": "a" })));
    }
}
