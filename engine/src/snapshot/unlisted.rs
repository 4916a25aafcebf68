//! Objects that no list names, but whose own policy is in the snapshot: the list was not asked,
//! answered with an error, or is older.

use std::sync::Arc;

use escalade_models::plain_pointer;
use foldhash::HashSet;
use serde_json::Value;

use super::draft::ObjectDraft;
use super::files::gap;
use super::resources::KindReading;
use super::response::Response;
use super::world::TAGS_NOT_KNOWN;

/// How deep in a response an ARN is looked for.
const DEEPEST: usize = 3;

impl KindReading<'_, '_> {
    /// Adds an object for each response that holds a resource policy, or that AWS or somebody kept
    /// from being read, if nothing has listed it. What the list would have said of it is not known.
    pub(super) fn unlisted(&mut self) {
        let kind = self.kind;
        let with_policy = || kind.details.iter().filter(|detail| detail.policy.is_some());
        if with_policy().next().is_none() {
            return;
        }
        let listed = self.listed();
        for detail in with_policy() {
            for file in detail.file.iter() {
                let Some((prefix, "")) = file.split_once("{name}") else { continue };
                let arguments: Vec<String> = self
                    .files
                    .responses()
                    .starting(prefix)
                    .map(|(argument, _)| argument.to_owned())
                    .filter(|argument| !listed.contains(argument.as_str()))
                    .collect();
                for argument in arguments {
                    self.add_unlisted(&format!("{prefix}{argument}"), &argument, &detail.policy);
                }
            }
        }
    }

    /// The arguments that name an object that was found: its name, its ARN, or one of its attributes
    /// (a queue's URL).
    fn listed(&self) -> HashSet<Arc<str>> {
        let mut out = HashSet::default();
        for ObjectDraft { object, .. } in self.found.values() {
            out.extend([object.name.clone(), object.arn.clone()]);
            out.extend(object.attributes.values().flatten().flatten().cloned());
        }
        out
    }

    fn add_unlisted(&mut self, command: &str, argument: &str, policy: &Option<String>) {
        let account = &self.draft.account;
        let region = self.region.map_or("", |region| region);
        let form = self.kind.arn_of(&account.partition, region, &account.id, "\n");
        let (before, after) = form.split_once('\n').unwrap_or((&form, ""));
        let response = self.files.response(command);
        let said = match &*response {
            Response::Content(content) => {
                let policy = policy.as_deref().and_then(|at| content.pointer(&plain_pointer(at)));
                arn_in(content, before, policy, 0)
            }
            Response::Absent => return,
            Response::Unknown(_) => None,
        };
        let own = said.or_else(|| argument.starts_with(before).then(|| argument.to_owned()));
        let arn = own.unwrap_or_else(|| {
            // A URL ends with the name.
            let (_, last) = argument
                .rsplit_once('/')
                .filter(|(url, _)| url.contains("://"))
                .unwrap_or(("", argument));
            format!("{before}{last}{after}")
        });
        // What AWS adds to the name is not known.
        if arn.contains('?') || self.found.contains_key(&*arn) {
            return;
        }
        let arn: Arc<str> = arn.into();
        // By what the files about it are found.
        let mut object = self.new_object(&arn, argument.strip_prefix(before).unwrap_or(argument));
        let first = self.kind.sources.first();
        let list = first.and_then(|source| source.file.iter().next()).unwrap_or_default();
        let why = gap(format!(
            "{}: {arn:?} is not in {}",
            self.files.place(command),
            self.files.place(list)
        ));
        if first.is_some_and(|source| source.tags.is_some()) {
            object.object.attributes.insert(TAGS_NOT_KNOWN.into(), Err(why.clone()));
        }
        for (attribute, _) in self.kind.sources.iter().flat_map(|source| &source.attributes) {
            object.object.attributes.insert(attribute.as_str().into(), Err(why.clone()));
        }
        self.found.insert(arn, object);
    }
}

/// The ARN in a response that starts so; not one that its policy names.
fn arn_in(value: &Value, start: &str, policy: Option<&Value>, depth: usize) -> Option<String> {
    if depth > DEEPEST || policy.is_some_and(|policy| std::ptr::eq(policy, value)) {
        return None;
    }
    match value {
        Value::String(text) => text.starts_with(start).then(|| text.clone()),
        Value::Object(members) => {
            members.values().find_map(|member| arn_in(member, start, policy, depth + 1))
        }
        _ => None,
    }
}
