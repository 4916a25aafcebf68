//! Access keys that lie about in what a snapshot shows: variables, user data, parameters, secrets.
//!
//! Only a key that is shown together with a secret, and that the snapshot knows as an active key of
//! a user, counts. What the snapshot does not show holds no key as far as is known: such a read is
//! a question about data, never a path.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::credentials::decode_base64;
use super::draft::AccountDraft;
use crate::residual::Gap;

/// Whether an attribute holds, once everything is read, the users whose keys an object shows: there
/// is one for each call that shows some.
pub(crate) fn shows_keys(attribute: &str) -> bool {
    attribute == "credentials" || attribute.ends_with("-credentials")
}

/// The attribute of a user with the ids of its active access keys.
pub(super) const KEY_IDS: &str = "access-key-ids";

/// The attribute of a user with the ids of its access keys that are not active.
pub(super) const INACTIVE_KEY_IDS: &str = "inactive-access-key-ids";

/// How many characters a secret access key has.
const SECRET: usize = 40;

/// The access key ids in some texts of one thing, in order of appearance; none where no secret is
/// shown beside them. Texts in base64, as user data are, are looked into as well.
pub(super) fn access_keys(texts: &[String]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut secret = false;
    for text in texts {
        let decoded = decode_base64(text).and_then(|bytes| String::from_utf8(bytes).ok());
        for text in std::iter::once(text.as_str()).chain(decoded.as_deref()) {
            for id in runs(text, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
                if id.len() == 20 && id.starts_with("AKIA") && !ids.iter().any(|one| one == id) {
                    ids.push(id.to_owned());
                }
            }
            let of_secret = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
            secret |= runs(text, of_secret).any(|run| run.len() == SECRET);
        }
    }
    if secret { ids } else { Vec::new() }
}

/// The longest stretches of a text whose bytes all pass.
fn runs(text: &str, passes: impl Fn(u8) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |c: char| !u8::try_from(c).is_ok_and(&passes)).filter(|run| !run.is_empty())
}

/// Puts the users in the place of the access key ids that objects show, across all accounts. Ids of
/// nobody in the snapshot are left out, unless AWS did not say which keys somebody has.
pub(super) fn name_owners(drafts: &mut [AccountDraft]) {
    // Nobody's, where the key opens nothing.
    let mut owners: HashMap<Arc<str>, Option<Arc<str>>> = HashMap::new();
    let mut unsaid: Option<Gap> = None;
    for one in drafts.iter().flat_map(|draft| &draft.objects) {
        match one.object.attributes.get(KEY_IDS) {
            Some(Ok(ids)) => {
                owners.extend(ids.iter().map(|id| (id.clone(), Some(one.object.arn.clone()))));
            }
            Some(Err(why)) => unsaid = unsaid.or_else(|| Some(why.clone())),
            None => {}
        }
        let inactive = one.object.attributes.get(INACTIVE_KEY_IDS);
        let inactive = inactive.into_iter().flatten().flatten();
        owners.extend(inactive.map(|id| (id.clone(), None)));
    }
    for one in drafts.iter_mut().flat_map(|draft| &mut draft.objects) {
        for (name, credentials) in &mut one.object.attributes {
            let Ok(shown) = credentials else { continue };
            if !shows_keys(name) || shown.is_empty() {
                continue;
            }
            let found = shown.iter().map(|id| owners.get(id).cloned());
            *credentials = match (found.clone().collect::<Option<BTreeSet<_>>>(), &unsaid) {
                (None, Some(why)) => Err(why.clone()),
                _ => Ok(found.flatten().flatten().collect::<BTreeSet<_>>().into_iter().collect()),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], expected: &[&str]) {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(access_keys(&texts), expected, "{texts:?}");
    }

    const ID: &str = "AKIAIOSFODNN7EXAMPLE";
    const KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[test]
    fn a_key_is_found_beside_its_secret() {
        check(&[ID, KEY], &[ID]);
        check(&[&format!("export AWS_ACCESS_KEY_ID={ID} AWS_SECRET={KEY}\n")], &[ID]);
    }

    #[test]
    fn an_id_without_a_secret_opens_nothing() {
        check(&[ID, "eu-west-1"], &[]);
    }

    #[test]
    fn longer_runs_are_something_else() {
        check(&[&format!("{ID}X"), KEY], &[]);
        check(&[ID, &format!("{KEY}X")], &[]);
    }

    #[test]
    fn user_data_are_decoded() {
        // "k=AKIAIOSFODNN7EXAMPLE s=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        check(
            &[
                "az1BS0lBSU9TRk9ETk43RVhBTVBMRSBzPXdKYWxyWFV0bkZFTUkvSzdNREVORy9iUHhSZmlDWUVYQU1QTEVLRVk=",
            ],
            &[ID],
        );
    }
}
