//! Which edits touch a path: what allows its calls, the trusts it goes by, who has the policies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escalade_models::ResourceKinds;
use serde_json::Value;

use super::edits::{Document, Edit, Wording, breadth, decoded, read, statements};
use super::limits::{Checked, Limited, Limits};
use super::passing::Roles;
use crate::answer::{AllowedBy, Call, Gain, Path, Step};
use crate::authorization::Origin;
use crate::policy::Effect;
use crate::provenance::PolicyFiles;
use crate::snapshot::{
    Attached, Detail, JsonText, Object, ObjectId, PolicySource, PolicyTexts, SnapshotFiles, Wanted,
    World,
};

/// What touches a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Touched {
    /// Edits of what its calls and trusts rest on.
    pub(super) edits: BTreeSet<Edit>,
    /// Groups and policies that the attacker makes use of by putting somebody into them: whatever
    /// is taken from these touches it as well. By ARN.
    pub(super) also: BTreeSet<Arc<str>>,
    /// The calls: a deny of one touches it as well.
    pub(super) calls: BTreeSet<Checked>,
    /// Principals that have to be administrators for it: any deny in their boundary touches it.
    pub(super) whole: BTreeSet<Arc<str>>,
    /// Of all these, edits with which the path was found.
    pub(super) except: BTreeSet<Edit>,
    /// Edits that the path goes by: it may not stand without them.
    pub(super) with: BTreeSet<Edit>,
}

impl Touched {
    /// What edits have to be about to touch it, besides its own.
    pub(super) fn subjects(&self) -> BTreeSet<&str> {
        let calls = self.calls.iter().flat_map(|call| [&*call.actor, call.account()]);
        let others = self.also.iter().chain(&self.whole).map(|arn| &**arn);
        calls.chain(others).collect()
    }
}

/// Finds edits in a snapshot's files.
pub(super) struct Candidates<'a> {
    files: &'a SnapshotFiles,
    kinds: &'a ResourceKinds,
    /// Principals that are at the goal.
    administrators: BTreeSet<Arc<str>>,
    roles: Roles,
    texts: BTreeMap<Arc<str>, (JsonText, Value)>,
    pointers: BTreeMap<(Arc<str>, Wanted), Option<String>>,
    /// Whether denies may be added.
    denies: bool,
    /// What the edits write.
    pub(super) wording: Wording,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(
        files: &'a SnapshotFiles,
        kinds: &'a ResourceKinds,
        world: &World,
        administrators: BTreeSet<Arc<str>>,
        roles: Roles,
        limits: Option<Limits>,
    ) -> Self {
        let (pointers, texts) = (BTreeMap::new(), BTreeMap::new());
        let denies = limits.is_some();
        let wording = Wording { narrowed: BTreeMap::new(), limits: limits.unwrap_or_default() };
        let mut out =
            Self { files, kinds, administrators, roles, texts, pointers, denies, wording };
        for id in world.of_kind("iam:role") {
            let Some(role) = world.object(*id) else { continue };
            let trust = out.document(world, "trust policy", Origin::Own(*id));
            let trust = trust.and_then(|document| out.value(&document)).unwrap_or_default();
            let services = statements(&trust).iter().flat_map(|statement| {
                named(statement).into_iter().filter(|(kind, _)| kind == "Service")
            });
            let services = services.map(|(_, service)| service).collect();
            out.roles.add(role.arn.clone(), services);
        }
        out
    }

    /// What touches a path.
    ///
    /// - `world`: the one that the path was found in, with `made` made.
    ///
    /// As long as none of it is done, the path stands: every call has the statements that allow it.
    pub(super) fn touching(
        &mut self,
        world: &World,
        path: &Path,
        made: &BTreeSet<Edit>,
    ) -> Touched {
        let mut out = Touched::default();
        for step in &path.steps {
            for call in &step.calls {
                for by in &call.allowed_by {
                    self.allowing(world, call, by, made, &mut out.edits);
                }
                if self.denies {
                    self.denying(world, call, made, &mut out);
                }
            }
            let assumed = |role: &Arc<str>| {
                let calls = step.calls.iter();
                calls.flat_map(|call| &call.allowed_by).any(|by| {
                    matches!(by.origin, Origin::Own(id)
                        if world.object(id).is_some_and(|object| object.arn == *role))
                })
            };
            for gain in &step.gains {
                match gain {
                    Gain::Credentials { of } | Gain::Delegation { of, .. } if !assumed(of) => {
                        self.service_trust(world, of, made, &mut out.edits);
                    }
                    Gain::Policy { of, .. } => also(world, of, &mut out.also),
                    _ => {}
                }
            }
        }
        if !path.steps.last().is_some_and(is_goal) {
            self.becoming(path, &mut out.whole);
        }
        out.edits.retain(|edit| !made.contains(edit));
        let limits = &self.wording.limits;
        let goes_by = |edit: &&Edit| edit.limit().is_some_and(|one| limits.goes_by(path, one));
        out.with = made.iter().filter(goes_by).cloned().collect();
        out
    }

    /// Denies of a call. Where one is made and the call is on the path all the same, the attacker has
    /// taken off what it was added to: no other deny there stops the call either.
    fn denying(&mut self, world: &World, call: &Call, made: &BTreeSet<Edit>, out: &mut Touched) {
        let mut checked = Checked::of(call);
        let limits = made.iter().filter_map(Edit::limit);
        let lifted = limits.filter(|limit| self.wording.limits.stops(limit, &checked));
        checked.lifted = lifted.map(|limit| limit.of.clone()).collect();
        let actor = world.find(&call.actor).and_then(|id| world.object(id));
        let file = actor.and_then(|actor| self.details(world, actor));
        if let Some(file) = &file {
            self.text(file);
        }
        let details = file.as_ref().and_then(|file| Some((file, &self.texts.get(file)?.1)));
        let limits = self.wording.limits.offered(world, details, &checked);
        out.edits.extend(limits.into_iter().map(Edit::Limit));
        out.calls.insert(checked);
    }

    /// Who becomes an administrator by a path.
    fn becoming(&self, path: &Path, out: &mut BTreeSet<Arc<str>>) {
        let Some(last) = path.steps.last() else { return };
        let ends = |gain: &Gain| match gain {
            Gain::Credentials { of } => self.administrators.contains(of),
            _ => false,
        };
        if last.gains.iter().any(ends) {
            return;
        }
        for step in &path.steps {
            out.extend(step.calls.iter().map(|call| call.actor.clone()));
            out.extend(step.gains.iter().filter_map(|gain| match gain {
                Gain::Credentials { of }
                | Gain::Policy { of, .. }
                | Gain::Delegation { of, .. } => Some(of.clone()),
                Gain::Resource { .. } | Gain::Goal { .. } => None,
            }));
        }
    }

    /// Whether an edit stops a path by a deny.
    pub(super) fn stops(&self, edit: &Edit, touched: &Touched) -> bool {
        edit.limit().is_some_and(|limit| {
            let whole = match &limit.of {
                Limited::Boundary { of, .. } => touched.whole.contains(of),
                Limited::Account(_) => false,
            };
            whole || touched.calls.iter().any(|call| self.wording.limits.stops(limit, call))
        })
    }

    /// What touches being at the goal from the start: the edits of all that this principal is
    /// allowed.
    pub(super) fn touching_all(
        &mut self,
        world: &World,
        principal: &str,
        made: &BTreeSet<Edit>,
    ) -> Touched {
        let mut out = Touched { whole: [principal.into()].into(), ..Touched::default() };
        let Some(id) = world.find(principal) else { return out };
        let Some(object) = world.object(id) else { return out };
        let mut holders = vec![id];
        if let Detail::User(user) = &object.detail {
            holders.extend(&user.groups);
        }
        let call = Call {
            actor: object.arn.clone(),
            action: "*".into(),
            resource: "*".into(),
            context: BTreeMap::new(),
            allowed_by: Vec::new(),
            resource_name: None,
        };
        for holder in holders {
            for attached in world.object(holder).map(held).unwrap_or_default() {
                let (name, managed, document) = match &attached.source {
                    PolicySource::Inline(name) => (name.clone(), None, attached.inline),
                    PolicySource::Managed(id) => {
                        let Some(object) = world.object(*id) else { continue };
                        let Detail::Policy(policy) = &object.detail else { continue };
                        let document = policy.versions.get(policy.default).map(|(_, at)| *at);
                        (object.name.clone(), Some((*id, policy.default)), document)
                    }
                    PolicySource::Missing(_) => continue,
                };
                let document = document.and_then(|id| world.documents.get(id.0 as usize));
                let policy = document.and_then(|document| document.policy.as_ref().ok());
                let all = policy.map(|policy| policy.statements()).unwrap_or_default();
                let allowing =
                    all.iter().enumerate().filter(|(_, one)| one.effect() == Effect::Allow);
                for (statement, _) in allowing {
                    let by = AllowedBy {
                        policy: name.clone(),
                        kind: "identity".into(),
                        statement,
                        sid: None,
                        origin: Origin::Held { holder, managed },
                    };
                    self.allowing(world, &call, &by, made, &mut out.edits);
                }
            }
        }
        out.edits.retain(|edit| !made.contains(edit));
        out
    }

    fn allowing(
        &mut self,
        world: &World,
        call: &Call,
        by: &AllowedBy,
        made: &BTreeSet<Edit>,
        out: &mut BTreeSet<Edit>,
    ) {
        let Some(origin) = self.replaced(world, by.origin) else { return };
        if let Origin::Held { holder, managed } = origin {
            self.holding(world, call, holder, managed.map(|(policy, _)| policy), out);
            let editable = managed.is_none_or(|(policy, version)| {
                matches!(world.object(policy).map(|object| &object.detail),
                    Some(Detail::Policy(policy))
                        if !policy.aws_managed && policy.default == version)
            });
            if !editable {
                return;
            }
        }
        let Some(document) = self.document(world, &by.policy, origin) else { return };
        let Some(value) = self.value(&document) else { return };
        let at = original(&document, by.statement, made);
        let Some(statement) = statements(&value).get(at) else { return };
        let is_trust = matches!(origin, Origin::Own(id)
            if matches!(world.object(id).map(|object| &object.detail), Some(Detail::Role(_))));
        if is_trust {
            let account = call.actor.split(':').nth(4).unwrap_or_default();
            let meant = |_: &str, principal: &str| {
                principal == "*"
                    || *principal == *call.actor
                    || principal == account
                    || principal.ends_with(&format!("::{account}:root"))
                    || call.actor.contains(principal)
            };
            distrusting(&document, at, statement, meant, out);
            return;
        }
        let allows = breadth(statement);
        out.insert(Edit::Remove { allows, document: document.clone(), statement: at });
        if let Some(narrow) = self.roles.narrower(statement, call) {
            let key = (document.clone(), at);
            self.wording.narrowed.entry(key).or_insert(narrow);
            out.insert(Edit::Narrow { document, statement: at });
        }
    }

    /// Where a policy comes from, or if an edit made it a boundary, the one that it replaced: its
    /// statements are at the same positions. Nothing if it replaced none.
    fn replaced(&self, world: &World, origin: Origin) -> Option<Origin> {
        let Origin::Held { holder, managed: Some((policy, _)) } = origin else {
            return Some(origin);
        };
        let policy = world.object(policy)?;
        let Some(before) = self.wording.limits.replaced(&policy.arn) else { return Some(origin) };
        let id = world.find(before?)?;
        let Detail::Policy(before) = &world.object(id)?.detail else { return None };
        Some(Origin::Held { holder, managed: Some((id, before.default)) })
    }

    /// Edits by which the caller no longer has the policy.
    fn holding(
        &mut self,
        world: &World,
        call: &Call,
        holder: ObjectId,
        managed: Option<ObjectId>,
        out: &mut BTreeSet<Edit>,
    ) {
        let Some(object) = world.object(holder) else { return };
        let Some(file) = self.details(world, object) else { return };
        if let Some(policy) = managed.and_then(|id| world.object(id))
            && !denies(
                world,
                &[Attached {
                    source: PolicySource::Managed(managed.unwrap_or(holder)),
                    inline: None,
                }],
            )
            && held(object)
                .iter()
                .any(|attached| attached.source == PolicySource::Managed(managed.unwrap_or(holder)))
        {
            out.insert(Edit::Detach {
                file,
                holder: object.arn.clone(),
                policy: policy.arn.clone(),
            });
        }
        // What a group denies would be allowed to who leaves it.
        if let Detail::Group(policies) = &object.detail
            && !denies(world, policies)
            && let Some(user) = world.find(&call.actor).and_then(|id| world.object(id))
            && matches!(&user.detail, Detail::User(user) if user.groups.contains(&holder))
            && let Some(file) = self.details(world, user)
        {
            let (user, group) = (user.arn.clone(), object.name.clone());
            out.insert(Edit::Leave { file, user, group });
        }
    }

    /// Edits by which services cannot act with a role any more.
    fn service_trust(
        &mut self,
        world: &World,
        role: &str,
        made: &BTreeSet<Edit>,
        out: &mut BTreeSet<Edit>,
    ) {
        let Some(id) = world.find(role) else { return };
        let Some(Detail::Role(_)) = world.object(id).map(|object| &object.detail) else { return };
        let Some(document) = self.document(world, "trust policy", Origin::Own(id)) else { return };
        let Some(value) = self.value(&document) else { return };
        for (at, statement) in statements(&value).iter().enumerate() {
            if allows(statement)
                && !made.iter().any(|edit| edit.removes(&document) == Some(at))
                && named(statement).iter().any(|(kind, _)| kind == "Service")
            {
                distrusting(&document, at, statement, |kind, _| kind == "Service", out);
            }
        }
    }

    fn policy_files<'w>(&self, world: &'w World) -> PolicyFiles<'w>
    where
        'a: 'w,
    {
        let single = self.files.is_single().then(|| "".into());
        PolicyFiles { world, kinds: self.kinds, single }
    }

    fn details(&self, world: &World, object: &Object) -> Option<Arc<str>> {
        let file = PolicyFiles { world, ..self.policy_files(world) }.details(object)?;
        self.files.get(&file).is_some().then_some(file)
    }

    /// Where a policy's document is.
    fn document(&mut self, world: &World, name: &str, origin: Origin) -> Option<Document> {
        let files = self.policy_files(world);
        let of = match origin {
            Origin::Held { managed: Some((policy, _)), .. } => {
                world.object(policy).map(|policy| policy.arn.clone())
            }
            Origin::Held { holder, .. } => world.object(holder).map(|holder| holder.arn.clone()),
            Origin::Own(id) => world.object(id).map(|object| object.arn.clone()),
            Origin::Elsewhere | Origin::Organization(_) => return None,
        };
        files.places(name, origin).into_iter().find_map(|(file, wanted)| {
            let pointer = self.pointer(&file, &wanted)?;
            Some(Document { file, pointer, policy: name.into(), of: of.clone() })
        })
    }

    fn pointer(&mut self, file: &Arc<str>, wanted: &Wanted) -> Option<String> {
        self.text(file)?;
        let key = (file.clone(), wanted.clone());
        if let Some(known) = self.pointers.get(&key) {
            return known.clone();
        }
        // Those of details are all known since the file was read.
        let found = match wanted {
            Wanted::Inline { .. } | Wanted::Trust(_) | Wanted::Managed { .. } => None,
            Wanted::At(_) | Wanted::OfItem { .. } => {
                let (text, _) = self.texts.get(file)?;
                PolicyTexts::of(text).get(wanted).and_then(|found| found.place)
            }
        };
        let pointer = found.map(|place| place.pointer);
        self.pointers.insert(key, pointer.clone());
        pointer
    }

    fn text(&mut self, file: &Arc<str>) -> Option<&(JsonText, Value)> {
        if !self.texts.contains_key(file) {
            let text = self.files.get(file)?;
            let held = (JsonText::new(text.to_string()), read(text)?);
            for (wanted, pointer) in PolicyTexts::of(&held.0).of_details() {
                self.pointers.insert((file.clone(), wanted.clone()), Some(pointer.to_owned()));
            }
            self.texts.insert(file.clone(), held);
        }
        self.texts.get(file)
    }

    /// The document as the snapshot has it, before any edit.
    fn value(&mut self, document: &Document) -> Option<Value> {
        decoded(self.text(&document.file)?.1.pointer(&document.pointer)?)
    }
}

/// The position that a statement had before edits took others out in front of it.
fn original(document: &Document, now: usize, made: &BTreeSet<Edit>) -> usize {
    let mut gone: Vec<usize> = made.iter().filter_map(|edit| edit.removes(document)).collect();
    gone.sort_unstable();
    gone.dedup();
    gone.into_iter().fold(now, |at, gone| if gone <= at { at + 1 } else { at })
}

fn is_goal(step: &Step) -> bool {
    step.gains.iter().any(|gain| matches!(gain, Gain::Goal { .. }))
}

fn allows(statement: &Value) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some("Allow")
}

/// The principals that a statement names, with their kinds.
fn named(statement: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let kinds = statement.get("Principal").and_then(Value::as_object);
    for (kind, named) in kinds.into_iter().flatten() {
        match named {
            Value::String(one) => out.push((kind.clone(), one.clone())),
            Value::Array(many) => out.extend(
                many.iter().filter_map(|one| Some((kind.clone(), one.as_str()?.to_owned()))),
            ),
            _ => {}
        }
    }
    out
}

/// The edits of a trust policy's statement that take these principals out of it.
fn distrusting(
    document: &Document,
    at: usize,
    statement: &Value,
    meant: impl Fn(&str, &str) -> bool,
    out: &mut BTreeSet<Edit>,
) {
    out.insert(Edit::RemoveTrust { document: document.clone(), statement: at });
    let named = named(statement);
    if named.len() > 1 {
        let meant = named.into_iter().filter(|(kind, principal)| meant(kind, principal));
        out.extend(meant.map(|(kind, principal)| Edit::Distrust {
            document: document.clone(),
            statement: at,
            kind,
            principal,
        }));
    }
}

/// What is taken from what the attacker put somebody into.
fn also(world: &World, of: &Arc<str>, out: &mut BTreeSet<Arc<str>>) {
    let Some(object) = world.find(of).and_then(|id| world.object(id)) else { return };
    match &object.detail {
        Detail::Group(policies) => {
            out.insert(of.clone());
            out.extend(policies.iter().filter_map(|attached| match &attached.source {
                PolicySource::Managed(id) => Some(world.object(*id)?.arn.clone()),
                _ => None,
            }));
        }
        Detail::Policy(_) => {
            out.insert(of.clone());
        }
        _ => {}
    }
}

fn held(object: &Object) -> &[Attached] {
    match &object.detail {
        Detail::User(user) => &user.policies,
        Detail::Role(role) => &role.policies,
        Detail::Group(policies) => policies,
        _ => &[],
    }
}

/// Whether a statement of one of these policies denies, or may.
fn denies(world: &World, policies: &[Attached]) -> bool {
    policies.iter().any(|attached| {
        let document = match (&attached.source, attached.inline) {
            (PolicySource::Managed(id), _) => {
                match world.object(*id).map(|policy| &policy.detail) {
                    Some(Detail::Policy(policy)) => {
                        policy.versions.get(policy.default).map(|(_, document)| *document)
                    }
                    _ => None,
                }
            }
            (_, inline) => inline,
        };
        let document = document.and_then(|id| world.documents.get(id.0 as usize));
        let policy = document.and_then(|document| document.policy.as_ref().ok());
        policy.is_none_or(|policy| policy.has_deny())
    })
}
