//! The condition keys of one call: what call, caller and snapshot determine, what the attacker
//! chooses, and what is left to the environment.

mod owner;
mod resource_keys;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escalade_models::{Availability, ContextKeys, KeyKind, Presence, ValueType};

use super::companion_keys::companion;
use super::session::{external_id, session_name, source_identity};
use super::tag_keys::SOURCE_IDENTITY;
use super::view::View;
use super::{Caller, Context, Endpoint, Input, Resource};
use crate::residual::{Gap, Grammar, Variable, VariableKind};
use crate::snapshot::{Detail, Object, ObjectId, Symbolic};

/// The scope of keys that belong to one session of the caller. A path gives each principal's
/// session a scope of its own.
pub const SESSION_SCOPE: &str = "session";

/// The call by which callers are compared, in lower case. It needs no permission, so what policies say
/// of it stands for what they say of the caller, whatever it calls.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
pub const ANY_CALL: &str = "sts:getcalleridentity";

/// Keys pinned by the user: a value, or `None` for "absent". Names in lower case.
pub type Pins = BTreeMap<Arc<str>, Option<Arc<str>>>;

/// The condition keys of one call.
pub struct CallContext<'c> {
    /// The table of keys.
    pub keys: &'c ContextKeys,
    /// Snapshot and edits.
    pub view: View<'c, 'c>,
    /// The action, in lower case.
    pub action: &'c str,
    /// The action that was requested, in lower case: another one where `action` is what the request
    /// needs besides.
    pub request: &'c str,
    /// The action, in lower case, of the call that has made the resource and may have given it tags.
    pub made_by: Option<&'c str>,
    /// Whether the resource is taken to be there, though the snapshot does not have it.
    pub is_there: bool,
    /// Who calls.
    pub caller: &'c Caller,
    /// The service principal that makes the call with the caller's permissions, if one does.
    pub via: Option<&'c str>,
    /// The principal's object; `None` for services.
    pub principal: Option<ObjectId>,
    /// The resource.
    pub resource: &'c Resource,
    /// The resource's object, if the snapshot has it.
    pub object: Option<ObjectId>,
    /// The account that owns the resource.
    pub resource_account: Option<&'c str>,
    /// The region of the call.
    pub region: &'c str,
    /// What the call determines, by key in lower case.
    pub determined: &'c BTreeMap<Arc<str>, Input>,
    /// What the user pinned.
    pub pins: &'c Pins,
    /// Notes whether the decision is about more than the object's ARN, if somebody wants to know.
    pub of_object: Option<&'c OfObject>,
    /// Whether what only the request itself could tell is left open: keys that the call determines
    /// while nothing says how, tags of what the snapshot does not hold, an empty `region`. If not,
    /// such keys are absent: a technique says what its calls determine.
    pub leave_open: bool,
}

/// Notes which keys were asked for whose values another object of the same kind, account and
/// region need not share.
#[derive(Debug, Default)]
pub struct OfObject {
    /// The keys of the object's tags that were asked for, in lower case.
    pub tags: RefCell<BTreeSet<Arc<str>>>,
    /// Whether another such key was asked for.
    pub other: Cell<bool>,
    /// Whether the keys that the call determines are of the object.
    pub determined: Cell<bool>,
    /// Whether the object's tags are left open.
    pub open_tags: Cell<bool>,
    /// Whether tags in the request were asked for.
    pub request_tags: Cell<bool>,
}

/// The scope of variables that stand for the tags of whichever object of a class it is.
pub const OPEN_TAG_SCOPE: &str = "tag of an object of a class";

impl OfObject {
    /// Forgets what was asked for.
    ///
    /// - `determined`: whether the keys that the call determines are of the object;
    /// - `open_tags`: whether the object's tags are left open from now on.
    pub fn reset(&self, determined: bool, open_tags: bool) {
        self.tags.borrow_mut().clear();
        self.other.set(false);
        self.determined.set(determined);
        self.open_tags.set(open_tags);
    }

    fn note(&self, key: &str, determined: bool) {
        if key == "aws:tagkeys" || key.starts_with("aws:requesttag/") {
            self.request_tags.set(true);
        }
        if matches!(key, "sts:externalid" | "sts:rolesessionname") || determined {
            self.other.set(true);
        } else if let Some(tag) = resource_tag(key)
            && !self.tags.borrow().contains(tag)
        {
            self.tags.borrow_mut().insert(tag.into());
        }
    }
}

/// The tag whose value on the resource a key stands for: of `aws:resourcetag/` or of the service's
/// own. In lower case.
fn resource_tag(key: &str) -> Option<&str> {
    key.split_once(':')?.1.strip_prefix("resourcetag/")
}

impl CallContext<'_> {
    /// A key that the user pinned.
    fn pinned(&self, key: &str) -> Option<Input> {
        Some(match self.pins.get(key)? {
            Some(value) => match self.keys.get(self.action, key) {
                Some(known) if known.multivalued => Input::Many(vec![value.clone()]),
                _ => Input::One(value.clone()),
            },
            None => Input::Absent,
        })
    }

    /// A key that follows from one that the call determines or the user pinned.
    fn companion(&self, key: &str) -> Option<Input> {
        companion(key, |other| self.determined.get(other).cloned().or_else(|| self.pinned(other)))
    }

    /// Keys that follow from the caller. `None`: not such a key.
    ///
    /// Implements "Properties of the principal" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
    fn of_principal(&self, key: &str) -> Option<Input> {
        let object = self.principal.and_then(|id| self.view.object(id));
        if let Some(Detail::Unlisted(gap)) = object.map(|object| &object.detail)
            && (matches!(key, "aws:principalarn" | "aws:username" | "aws:userid")
                || key.starts_with("aws:principaltag/"))
        {
            return Some(Input::Unknown(gap.clone()));
        }
        let one = |text: &str| Input::One(text.into());
        Some(match key {
            "aws:principalarn" => match self.caller {
                Caller::User(arn)
                | Caller::Role(arn)
                | Caller::Root(arn)
                | Caller::FederatedUser(arn) => Input::One(arn.clone()),
                Caller::RoleSession { role: Some(arn), .. } => Input::One(arn.clone()),
                _ => Input::Absent,
            },
            "aws:principalaccount" => self.caller.account().map_or(Input::Absent, one),
            // <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-caller-account>
            "kms:calleraccount" if self.is_carried(key) => one(self.caller.account()?),
            "aws:principaltype" => match self.caller {
                Caller::User(_) => one("User"),
                Caller::Role(_) | Caller::RoleSession { .. } => one("AssumedRole"),
                Caller::FederatedUser(_) => one("FederatedUser"),
                Caller::Root(_) => one("Account"),
                Caller::Anonymous => one("Anonymous"),
                Caller::Service(_) | Caller::Federated(_) => Input::Absent,
            },
            "aws:principalisawsservice" => match self.caller {
                Caller::Service(_) => one("true"),
                Caller::Anonymous => Input::Absent,
                _ => one("false"),
            },
            "aws:principalservicename" => match self.caller {
                Caller::Service(name) => Input::One(name.clone()),
                _ => Input::Absent,
            },
            "aws:principalservicenameslist" => match self.caller {
                Caller::Service(name) => Input::Many(vec![name.clone()]),
                _ => Input::Absent,
            },
            "aws:username" => match object {
                Some(object) if matches!(self.caller, Caller::User(_)) => {
                    Input::One(object.name.clone())
                }
                _ => Input::Absent,
            },
            "aws:userid" => match (self.caller, object.map(|object| &object.detail)) {
                // The account and the name that was given to the session.
                (Caller::FederatedUser(session), _) => {
                    let name = session.split_once('/').map_or("", |(_, name)| name);
                    one(&format!("{}:{name}", self.caller.account().unwrap_or_default()))
                }
                (Caller::Root(_), _) => self.caller.account().map_or(Input::Absent, one),
                (_, Some(Detail::User(user))) => Input::One(user.unique_id.clone()),
                (_, Some(Detail::Role(role))) => Input::Template {
                    prefix: format!("{}:", role.unique_id).into(),
                    variable: match object {
                        Some(role) if !self.leave_open => session_name(&role.arn),
                        _ => self.variable("sts:RoleSessionName", VariableKind::Chosen, false),
                    },
                    suffix: "".into(),
                },
                _ => Input::Absent,
            },
            "aws:principalorgid" | "aws:principalorgpaths" => {
                self.view.organization_key(key, self.caller.account())
            }
            SOURCE_IDENTITY | "aws:federatedprovider"
                if self.leave_open && matches!(self.caller, Caller::User(_) | Caller::Root(_)) =>
            {
                Input::Absent
            }
            SOURCE_IDENTITY if self.leave_open => match object {
                Some(role) if !self.view.lets_in_for(role, "sts:setsourceidentity") => {
                    Input::Absent
                }
                _ => return None,
            },
            SOURCE_IDENTITY => match (self.principal, object) {
                (Some(id), Some(object)) => self.view.source_identity(id, object),
                _ => Input::Absent,
            },
            "aws:federatedprovider" if self.leave_open => match object {
                Some(role) if !self.view.lets_in_providers(role) => Input::Absent,
                _ => return None,
            },
            "aws:federatedprovider" => match object {
                Some(role) if self.view.lets_in_providers(role) => Input::Unknown(Gap(format!(
                    "which identity provider a session of {} is from, if any, is not known",
                    role.arn
                )
                .into())),
                _ => Input::Absent,
            },
            _ => {
                let tag = key.strip_prefix("aws:principaltag/")?;
                match (self.principal, object) {
                    // Tags of its own, given when it was created.
                    _ if matches!(self.caller, Caller::FederatedUser(_)) => {
                        if self.leave_open {
                            return None;
                        }
                        Input::Absent
                    }
                    // A session may have been given tags that come before the role's own.
                    (Some(_), Some(role))
                        if self.leave_open
                            && matches!(role.detail, Detail::Role(_))
                            && self.view.lets_in_for(role, "sts:tagsession") =>
                    {
                        return None;
                    }
                    (Some(id), Some(object)) => self.view.principal_tag(id, object, tag),
                    _ if self.leave_open
                        && matches!(
                            self.caller,
                            Caller::User(_) | Caller::Role(_) | Caller::RoleSession { .. }
                        ) =>
                    {
                        return None;
                    }
                    _ => Input::Absent,
                }
            }
        })
    }

    /// Keys that follow from the resource and the request's way. `None`: not such a key.
    ///
    /// Implements "Properties of the resource" and "Properties of the request" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
    fn of_request(&self, key: &str) -> Option<Input> {
        let one = |text: &str| Input::One(text.into());
        Some(match key {
            "aws:resourceaccount" => self.owner(),
            // <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>
            "s3:resourceaccount" if self.is_carried(key) => match self.resource_account {
                Some(account) => one(account),
                None if self.leave_open => return None,
                None => self.owner(),
            },
            "aws:resourceorgid" | "aws:resourceorgpaths" => self.organization_of_owner(key),
            "aws:requestedregion" | "ec2:region" if self.region.is_empty() => {
                if self.leave_open {
                    return None;
                }
                let object = self.object.and_then(|id| self.view.object(id));
                let name = object.map_or("the resource", |object| &object.name);
                Input::Unknown(Gap(format!("the Region of {name} is not known").into()))
            }
            "aws:requestedregion" => one(self.region),
            // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_examples_ec2_region.html>
            "ec2:region" if self.is_carried(key) => one(self.region),
            "aws:sourcevpc" => Input::One(self.endpoint()?.vpc.clone()?),
            "aws:vpceaccount" => Input::One(self.endpoint()?.account.clone()?),
            "lambda:functionurlauthtype"
                if self.action == "lambda:invokefunctionurl" && !self.leave_open =>
            {
                let function = self.object.and_then(|id| self.view.object(id))?;
                match self.view.attribute(function, "url-auth") {
                    Ok(values) => values.first().map_or(Input::Absent, |auth| one(auth)),
                    Err(gap) => Input::Unknown(gap),
                }
            }
            "aws:securetransport" => one("true"),
            "aws:viaawsservice" => one(if self.via.is_some() { "true" } else { "false" }),
            // <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource>
            "kms:grantisforawsresource" if self.is_carried(key) => one("false"),
            "aws:calledvia" => {
                self.via.map_or(Input::Absent, |service| Input::Many(vec![service.into()]))
            }
            "aws:calledviafirst" | "aws:calledvialast" => self.via.map_or(Input::Absent, one),
            "aws:sourceaccount" | "aws:sourcearn" | "aws:sourceorgid" | "aws:sourceorgpaths"
                if !matches!(self.caller, Caller::Service(_)) =>
            {
                Input::Absent
            }
            "aws:sourceorgid" | "aws:sourceorgpaths" => {
                let source = "aws:sourceaccount";
                match self.determined.get(source).cloned().or_else(|| self.pinned(source))? {
                    Input::One(account) => self.view.organization_key(key, Some(&account)),
                    _ => return None,
                }
            }
            _ => {
                let Some(tag) = resource_tag(key) else { return self.of_resource(key) };
                if self.has_unreliable_tags() {
                    return Some(Input::Unknown(Gap(format!(
                        "whether {} heeds the tags of the role in {key:?} is not documented to be reliable",
                        self.action
                    )
                    .into())));
                }
                match self.object.and_then(|id| Some((id, self.view.object(id)?))) {
                    Some(_) if self.of_object.is_some_and(|noted| noted.open_tags.get()) => {
                        let variable = Variable {
                            name: tag.into(),
                            scope: OPEN_TAG_SCOPE.into(),
                            kind: VariableKind::Chosen,
                            multivalued: false,
                            grammar: Grammar::any(),
                        };
                        Input::Free { variable, certain: false }
                    }
                    Some((id, object)) => self.view.tag(id, object, tag),
                    None => match self.made_by {
                        Some(maker) => {
                            Input::Free { variable: tag_in_making(maker, tag), certain: false }
                        }
                        None if self.leave_open || self.is_there => return None,
                        None => Input::Absent,
                    },
                }
            }
        })
    }

    /// Whether requests for the action carry a key of a service's own.
    fn is_carried(&self, key: &str) -> bool {
        self.action == ANY_CALL || self.keys.get(self.action, key).is_some()
    }

    /// The endpoint that the request comes through, if it is pinned and in the snapshot.
    fn endpoint(&self) -> Option<&Endpoint> {
        let id = match (self.determined.get("aws:sourcevpce"), self.pins.get("aws:sourcevpce")) {
            (Some(Input::One(id)), _) | (None, Some(Some(id))) => id,
            _ => return None,
        };
        self.view.ground.endpoints.iter().find(|endpoint| endpoint.id == *id)
    }

    /// The keys of a session with an MFA device that the attacker has put on the user: he can have
    /// it present, of whatever age, or not. `None`: not such a key, or no such device.
    ///
    /// Implements <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>,
    /// which needs no permission.
    fn with_own_mfa(&self, key: &str) -> Option<Input> {
        let user = self.principal.filter(|user| self.view.edits.mfa.contains(user))?;
        let arn = self.view.object(user).map(|user| user.arn.clone())?;
        let mut variable = match key {
            "aws:multifactorauthpresent" => {
                self.variable("aws:MultiFactorAuthPresent", VariableKind::Chosen, false)
            }
            "aws:multifactorauthage" => {
                self.variable("aws:MultiFactorAuthAge", VariableKind::Chosen, false)
            }
            _ => return None,
        };
        variable.scope = arn;
        Some(Input::Free { variable, certain: false })
    }

    pub(super) fn variable(&self, name: &str, kind: VariableKind, multivalued: bool) -> Variable {
        let lower = name.to_ascii_lowercase();
        let kind = if self.leave_open { VariableKind::Environment } else { kind };
        if let ("sts:rolesessionname", Resource::Literal(role)) = (&*lower, self.resource)
            && kind == VariableKind::Chosen
        {
            return session_name(role);
        }
        let grammar = match &*lower {
            "sts:externalid" => external_id(),
            "sts:sourceidentity" => source_identity().grammar,
            // To set operators empty text is no value.
            _ if multivalued => Grammar { length: (1, Grammar::any().length.1), ..Grammar::any() },
            _ => Grammar::any(),
        };
        let scope: Arc<str> = match (&*lower, self.resource) {
            ("sts:externalid", Resource::Literal(arn)) => arn.clone(),
            ("aws:multifactorauthpresent" | "aws:multifactorauthage" | "aws:tokenissuetime", _) => {
                SESSION_SCOPE.into()
            }
            _ if kind == VariableKind::Chosen => self.request.into(),
            _ => "".into(),
        };
        Variable { name: name.into(), scope, kind, multivalued, grammar }
    }

    /// Whether the key is one of the caller's identity provider, `accounts.google.com:aud`.
    ///
    /// Implements "Available keys for AWS OIDC federation" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>.
    fn is_of_provider(&self, key: &str) -> bool {
        let Caller::Federated(provider) = self.caller else { return false };
        let host = provider.split_once(":oidc-provider/").map_or(&**provider, |(_, host)| host);
        key.rsplit_once(':').is_some_and(|(prefix, _)| prefix == host.to_lowercase())
    }

    /// Whether the key is of a sign-in with MFA, and a service calls: it signs in nowhere.
    fn is_without_mfa(&self, key: &str) -> bool {
        let of_sign_in = matches!(
            key,
            "aws:multifactorauthpresent" | "aws:multifactorauthage" | "aws:tokenissuetime"
        );
        of_sign_in && self.is_service()
    }

    fn is_service(&self) -> bool {
        matches!(self.caller, Caller::Service(_))
    }

    /// Whether a key that caller, call or resource determine can be in the request, where none of
    /// them says that it is. Of the global ones what is not known to be there is not.
    fn may_be_determined(&self, key: &str) -> bool {
        match key {
            "identitystore:userid" => {
                let role = self.principal.and_then(|id| self.view.object(id));
                let of_center = role.map(|role| self.view.attribute(role, "sso-reserved"));
                of_center.is_some_and(|found| found.is_ok_and(|values| !values.is_empty()))
            }
            _ => {
                (self.is_there && resource_tag(key).is_some())
                    || self.keys.global_named(key).is_none()
            }
        }
    }

    /// Keys that neither caller nor request determine, as the table of keys describes them.
    pub(super) fn as_tabled(&self, key: &str) -> Input {
        let known = match self.available(key) {
            Availability::Carried(known) => known,
            Availability::NotInRequest => return Input::Absent,
            Availability::Unknown if self.leave_open && self.is_of_provider(key) => {
                let multivalued = key.ends_with(":amr");
                let variable = self.variable(key, VariableKind::Environment, multivalued);
                return Input::Free { variable, certain: false };
            }
            Availability::Unknown => {
                return Input::Unknown(Gap(format!(
                    "condition key {key:?} of {} is not modelled",
                    self.action
                )
                .into()));
            }
        };
        if let Some(other) = &known.same_as {
            return self.get(&other.to_lowercase());
        }
        if let Some(noted) = self.of_object
            && noted.determined.get()
            && !(known.unless.is_empty() && known.with.is_empty())
        {
            noted.other.set(true);
        }
        let is_absent = |other: &String| {
            let lowercase = other.to_lowercase();
            matches!(self.determined.get(&*lowercase), Some(Input::Absent))
                || matches!(self.pins.get(&*lowercase), Some(None))
        };
        let is_present = |other: &String| {
            let lowercase = other.to_lowercase();
            matches!(self.determined.get(&*lowercase), Some(Input::One(_) | Input::Many(_)))
                || matches!(self.pins.get(&*lowercase), Some(Some(_)))
        };
        let never = known.presence == Presence::Never
            && !(self.leave_open && matches!(self.caller, Caller::Service(_)));
        // The credentials of a role are temporary: whoever gave them may have said more.
        let of_role = matches!(self.caller, Caller::Role(_) | Caller::RoleSession { .. });
        if never
            || (known.of_roles && !(of_role && self.may_be_issued_by(&known.issued_by)))
            || self.is_without_mfa(key)
            || known.unless.iter().any(is_present)
            || (!known.with.is_empty() && known.with.iter().all(is_absent))
        {
            return Input::Absent;
        }
        let of_resource = known.kind == KeyKind::Determined && !self.leave_open;
        if of_resource && !self.may_be_determined(key) {
            return Input::Absent;
        }
        let kind = match known.kind {
            // Neither the technique nor the snapshot says what it is.
            KeyKind::Determined => VariableKind::Environment,
            // Which external id a service sends, if any, the attacker does not choose.
            KeyKind::Chosen if key == "sts:externalid" && self.is_service() => {
                VariableKind::Environment
            }
            KeyKind::Chosen | KeyKind::Limiting => VariableKind::Chosen,
            KeyKind::Environment => VariableKind::Environment,
        };
        let name = self.spelling(key);
        let mut variable = self.variable(&name, kind, known.multivalued);
        if of_resource {
            if let Some(noted) = self.of_object {
                noted.other.set(true);
            }
            match self.as_made(&name) {
                Some(made) => variable = made,
                None if key == "identitystore:userid" => variable.scope = SESSION_SCOPE.into(),
                None => variable.scope = self.resource_scope(),
            }
        }
        if known.value_type == ValueType::Bool {
            variable.grammar = Grammar::new(&[('a', 'z')], (4, 5));
        }
        // The public address is there unless the request comes through an endpoint.
        let always = known.presence == Presence::Always && known.unless.iter().all(is_absent);
        // The token of temporary credentials was issued at some time.
        let certain = always || (key == "aws:tokenissuetime" && of_role);
        if known.kind == KeyKind::Limiting && !self.leave_open {
            // With the key the call does less than a technique takes it to do.
            let text = format!("{} limits what {} does", variable.name, self.action);
            let value = Input::Unknown(Gap(text.into()));
            return match certain {
                true => value,
                false => Input::IfPresent { variable, value: Box::new(value) },
            };
        }
        Input::Free { variable, certain }
    }

    /// A key, given in lower case, as AWS writes it. What a family of keys leaves open (a tag's
    /// key) stays in lower case.
    pub fn spelling(&self, key: &str) -> Arc<str> {
        let known = self.keys.get(self.action, key).or_else(|| self.keys.global_named(key));
        let Some(known) = known else { return key.into() };
        match known.name.split_once('*') {
            None => known.name.as_str().into(),
            Some((before, _)) => {
                format!("{before}{}", key.get(before.len()..).unwrap_or_default()).into()
            }
        }
    }
}

/// The variable that stands for the value of a tag in the request of a call that makes something,
/// and so for that of the tag of what it makes.
///
/// - `maker`: the call's action, in lower case.
pub fn tag_in_making(maker: &str, tag: &str) -> Variable {
    Variable {
        name: format!("aws:RequestTag/{tag}").into(),
        scope: maker.into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar::any(),
    }
}

/// A grammar of the tables as the solver's.
pub fn grammar_of(grammar: &escalade_models::NameForm) -> Grammar {
    Grammar::new(&grammar.ranges().unwrap_or_default(), grammar.length)
}

impl Context for CallContext<'_> {
    fn get(&self, key: &str) -> Input {
        if let Some(noted) = self.of_object {
            let determined = noted.determined.get()
                && (self.determined.contains_key(key) || self.companion(key).is_some());
            noted.note(key, determined);
        }
        if let Some(input) = self.determined.get(key) {
            return input.clone();
        }
        if let Some(pinned) = self.pinned(key) {
            return pinned;
        }
        if let Some(input) = self.of_symbolic(key) {
            return input;
        }
        if let Some(input) = self.of_federation(key) {
            return input;
        }
        // What a token says is up to whoever controls its issuer. Of an issuer of others it says
        // what is determined, as far as that is known.
        if matches!(self.caller, Caller::Federated(_)) && !key.starts_with("aws:") {
            if self.determined.keys().any(|key| !key.starts_with("aws:")) {
                return Input::Absent;
            }
            let variable = self.variable(key, VariableKind::Chosen, false);
            return Input::Free { variable, certain: false };
        }
        if let Some(input) = self.with_own_mfa(key).or_else(|| self.without_mfa(key)) {
            return input;
        }
        self.companion(key)
            .or_else(|| self.of_principal(key))
            .or_else(|| self.of_request(key))
            .unwrap_or_else(|| self.as_tabled(key))
    }

    fn is_of_no_named_account(&self) -> bool {
        let object = self.principal.and_then(|id| self.view.object(id));
        matches!(object.and_then(Object::symbolic), Some(Symbolic::Principal { own: true, .. }))
    }
}
