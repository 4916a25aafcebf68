//! Which principals an audit starts from. Whoever is left out is no start, but is still there to be
//! used on the way: the whole snapshot stays the world.

use std::sync::Arc;

use super::question::QuestionError;
use crate::pattern::Pattern;
use crate::snapshot::{ObjectId, World};

/// Which principals an audit starts from: those of any of the accounts that have all of the tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Globs over ids and names of accounts; empty: all accounts.
    pub accounts: Vec<Arc<str>>,
    /// Tags by key and value, as they are written; keys and values of tags have a case.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
}

impl Selection {
    /// Whether every principal is selected.
    pub fn is_everyone(&self) -> bool {
        self.accounts.is_empty() && self.tags.is_empty()
    }

    /// Those of `starts` that are selected, in the same order.
    ///
    /// Fails if a glob fits no account of the snapshot, or no principal is selected: an audit of
    /// nobody would pass for a clean one.
    pub fn of(&self, world: &World, starts: &[ObjectId]) -> Result<Vec<ObjectId>, QuestionError> {
        if self.is_everyone() {
            return Ok(starts.to_vec());
        }
        let mut within = vec![self.accounts.is_empty(); world.accounts.len()];
        for glob in &self.accounts {
            let pattern = Pattern::glob(glob, false);
            let mut fits = false;
            for (account, within) in world.accounts.iter().zip(&mut within) {
                let name = world.organization.as_ref().and_then(|known| known.title(&account.id));
                if pattern.matches(&account.id) || name.is_some_and(|name| pattern.matches(name)) {
                    (*within, fits) = (true, true);
                }
            }
            if !fits {
                return Err(QuestionError::NoAccount(glob.to_string()));
            }
        }
        let selected = |id: &ObjectId| {
            world.object(*id).is_some_and(|object| {
                within.get(object.account.0 as usize).copied().unwrap_or(false)
                    && self.tags.iter().all(|tag| object.tags.contains(tag))
            })
        };
        let selected: Vec<ObjectId> = starts.iter().copied().filter(selected).collect();
        if !selected.is_empty() {
            return Ok(selected);
        }
        if self.tags.is_empty() {
            return Err(QuestionError::NobodyThere(self.accounts.join(", ")));
        }
        let tags: Vec<String> =
            self.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Err(QuestionError::NoTagged(tags.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Account, AccountIndex, Detail, Object, OwnPolicy};

    fn world() -> World {
        let account = |id: &str| Account {
            id: id.into(),
            partition: "aws".into(),
            not_before: None,
            regions: Vec::new(),
            uncollected: Default::default(),
            uncollected_within: Default::default(),
        };
        let user = |account: u32, name: &str, team: &str| Object {
            kind: "iam:user".into(),
            arn: format!("arn:aws:iam::{account}:user/{name}").into(),
            name: name.into(),
            account: AccountIndex(account),
            region: None,
            attributes: Default::default(),
            tags: vec![("team".into(), team.into())],
            policy: OwnPolicy::Absent,
            detail: Detail::Other,
        };
        World {
            accounts: ["111111111111", "222222222222", "333333333333"].map(account).into(),
            objects: vec![user(0, "a", "red"), user(0, "b", "blue"), user(1, "c", "red")],
            ..World::default()
        }
    }

    fn check(accounts: &[&str], tags: &[(&str, &str)], expected: Result<&[u32], &str>) {
        let selection = Selection {
            accounts: accounts.iter().map(|glob| (*glob).into()).collect(),
            tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        };
        let starts = [ObjectId(0), ObjectId(1), ObjectId(2)];
        let found = selection.of(&world(), &starts);
        let found = found.map(|ids| ids.into_iter().map(|id| id.0).collect::<Vec<_>>());
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found, expected.map(<[u32]>::to_vec).map_err(str::to_owned));
    }

    #[test]
    fn starts_are_those_of_the_accounts_that_have_the_tags() {
        check(&[], &[], Ok(&[0, 1, 2]));
        check(&["1*"], &[], Ok(&[0, 1]));
        check(&["1*", "222222222222"], &[("team", "red")], Ok(&[0, 2]));
    }

    #[test]
    fn nobody_is_not_an_audit() {
        check(&["3*"], &[], Err("no user or role in the accounts 3*"));
        check(&["9*"], &[], Err("no account \"9*\" in the snapshot"));
        check(&[], &[("Team", "red")], Err("no principal has the tag Team=red"));
    }
}
