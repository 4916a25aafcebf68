//! Rules: techniques of the catalogue with no choices left and names resolved to slots.

use std::sync::Arc;

use escalade_models::TagChange;

use super::actions::Actions;
use super::mandate::Mandate;
use crate::authorization::Granted;
use crate::snapshot::ControlPolicyKind;

/// A part of an expression in a technique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Text as it stands.
    Text(Arc<str>),
    /// The ARN of a bound object.
    Object(usize),
    /// An attribute of a bound object.
    Attribute(usize, Arc<str>),
    /// A new resource: its whole ARN, or its bare name where its kind has no ARN form.
    New(usize),
    /// The bare name of a new resource.
    NewName(usize),
    /// The partition of the caller's account.
    Partition,
    /// The region the step happens in.
    Region,
    /// The caller's account.
    Account,
    /// The name of something that no response shows.
    Open,
    /// What the attacker makes a token say.
    Said,
}

/// Text around names, for resources and condition values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expression(pub Vec<Part>);

impl Expression {
    /// Whether a new resource is named in it.
    pub fn names_new(&self, new: usize) -> bool {
        self.0.iter().any(|part| matches!(part, Part::New(at) | Part::NewName(at) if *at == new))
    }
}

/// The value of a condition key that a call determines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Determined {
    /// Not in the request.
    Absent,
    /// A single value; an attribute without value means that the key is absent.
    One(Expression),
    /// A multivalued key.
    Many(Vec<Expression>),
    /// One of these, and AWS's documentation leaves open which.
    AnyOf(Vec<Expression>),
}

impl Determined {
    /// What it is made of.
    pub fn expressions(&self) -> &[Expression] {
        match self {
            Self::Absent => &[],
            Self::One(expression) => std::slice::from_ref(expression),
            Self::Many(expressions) | Self::AnyOf(expressions) => expressions,
        }
    }
}

/// One call of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuleCall {
    /// As written: `iam:PassRole`.
    pub action: Arc<str>,
    /// In lower case.
    pub action_lowercase: Arc<str>,
    /// Position in [`Rules::actions`].
    pub action_bit: usize,
    /// What it is checked on.
    pub resources: Vec<Expression>,
    /// For whom a service uses a role because of it, one of these; `*` if AWS does not say.
    pub sources: Vec<Expression>,
    /// Keys in lower case, with their values.
    pub context: Vec<(Arc<str>, Determined)>,
    /// Domain slot and OpenSearch permission.
    pub permission: Option<(usize, Arc<str>)>,
    /// Whether what it returns is needed.
    pub answer: bool,
    /// The tag that it sets or takes away.
    pub tags: Option<CallTag>,
    /// The identity provider whose token the call brings, if it is made unsigned with one.
    pub federated: Option<Expression>,
    /// Whether that provider accepts tokens for any audience.
    pub any_audience: bool,
    /// The slot of the user whose token the call brings, if it is made unsigned with one.
    pub bearer: Option<usize>,
    /// What the call needs besides where its request carries some keys.
    pub besides: Vec<CallBesides>,
    /// The kind of what it makes, if its request takes tags and calls after it are checked on that.
    pub makes: Option<Arc<str>>,
    /// For each of its resources, the call of the rule whose request may have given it tags, as an
    /// action in lower case.
    pub made_by: Vec<Option<Arc<str>>>,
    /// Slots that must be bound before it can be decided, sorted. A slot that is only the value of
    /// a condition key is not among them: the key's value stays open until it is bound.
    pub mentioned: Vec<usize>,
}

/// A call that is made for the attacker, not by him: only control policies bind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundCall {
    /// As whom, by ARN.
    pub by: Expression,
    /// The call.
    pub call: RuleCall,
}

impl RuleCall {
    /// Whether the call refers to a slot.
    pub fn mentions(&self, slot: usize) -> bool {
        self.mentioned.binary_search(&slot).is_ok()
    }

    /// Whether the call mentions a slot, or has its object in a key that it determines. Until that is
    /// bound, its ARN is open.
    pub fn names(&self, slot: usize) -> bool {
        let mut values = self.context.iter().flat_map(|(_, value)| value.expressions());
        self.mentions(slot)
            || values.any(|text| {
                text.0.iter().any(
                    |part| matches!(part, Part::Object(at) | Part::Attribute(at, _) if *at == slot),
                )
            })
    }

    /// Whether a new resource has a part in the call.
    pub fn names_new(&self, new: usize) -> bool {
        let values = self.context.iter().flat_map(|(_, value)| value.expressions());
        let besides = self.besides.iter().filter_map(|besides| besides.on.as_ref());
        let fixed = self.resources.iter().chain(&self.sources).chain(&self.federated);
        fixed.chain(values).chain(besides).any(|text| text.names_new(new))
    }

    /// Whether the call is checked on the object of a slot and on nothing else that depends on which
    /// object that is.
    pub fn is_on(&self, slot: usize) -> bool {
        let whole = |text: &Expression| matches!(text.0[..], [Part::Object(s)] if s == slot);
        let of_object = |text: &Expression| {
            text.0.iter().any(|part| matches!(part, Part::Object(_) | Part::Attribute(..)))
        };
        self.permission.is_none()
            && !self.is_by_token()
            && self.resources.iter().any(whole)
            && self.resources.iter().all(|text| whole(text) || !of_object(text))
    }

    /// Whether a key that the call determines has an object's ARN or attribute in its value.
    pub fn determines_by_object(&self) -> bool {
        let mut values = self.context.iter().flat_map(|(_, value)| value.expressions());
        values.any(|text| {
            text.0.iter().any(|part| matches!(part, Part::Object(_) | Part::Attribute(..)))
        })
    }

    /// The attributes of a slot's object in the values of the keys that the call determines. `None`
    /// if its ARN is in them, or other objects are.
    pub fn attributes_determined(&self, slot: usize) -> Option<Vec<Arc<str>>> {
        let mut out = Vec::new();
        for (_, value) in &self.context {
            for part in value.expressions().iter().flat_map(|expression| &expression.0) {
                match part {
                    Part::Attribute(of, attribute) if *of == slot => out.push(attribute.clone()),
                    Part::Object(_) | Part::Attribute(..) => return None,
                    _ => {}
                }
            }
        }
        Some(out)
    }

    /// Whether no object's ARN or attribute is part of the call, only the place of one.
    pub fn is_about_place(&self) -> bool {
        let values = self.context.iter().flat_map(|(_, value)| value.expressions());
        let of_object = |part: &Part| matches!(part, Part::Object(_) | Part::Attribute(..));
        self.permission.is_none()
            && !self.is_by_token()
            && !self.resources.iter().chain(values).any(|text| text.0.iter().any(of_object))
    }

    /// Whether it hangs on the account and region in which the step happens.
    pub fn mentions_place(&self) -> bool {
        let values = self.context.iter().flat_map(|(_, value)| value.expressions());
        let texts = self.resources.iter().chain(&self.sources).chain(values);
        let mut parts = texts.flat_map(|text| &text.0);
        parts.any(|part| matches!(part, Part::Account | Part::Region))
    }

    /// Whether the call is unsigned and brings a token: no policy of the caller's counts.
    pub fn is_by_token(&self) -> bool {
        self.federated.is_some() || self.bearer.is_some()
    }

    /// How many slots must be bound before the call can be decided.
    pub fn slots_needed(&self) -> usize {
        self.mentioned.last().map_or(0, |slot| slot + 1)
    }
}

/// A permission that a call needs besides that of its action, where its request carries one of some
/// keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallBesides {
    /// As written: `ec2:CreateTags`.
    pub action: Arc<str>,
    /// In lower case.
    pub action_lowercase: Arc<str>,
    /// Position in [`Rules::actions`].
    pub action_bit: usize,
    /// The keys in lower case; of a family of keys what is before the `*`.
    pub carrying: Vec<Arc<str>>,
    /// What it is checked on, where that is not what the call is checked on.
    pub on: Option<Expression>,
    /// The key that then says which action it is for, in lower case.
    pub says_action: Option<Arc<str>>,
}

impl CallBesides {
    /// Whether a key, in lower case, is one of those that make the permission needed.
    pub fn is_for(&self, key: &str) -> bool {
        self.carrying.iter().any(|carried| match carried.ends_with('/') {
            true => key.starts_with(&**carried),
            false => *key == **carried,
        })
    }
}

/// A tag in a call's request, by slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallTag {
    /// What is tagged.
    pub on: usize,
    /// The tag's key.
    pub key: usize,
    /// What the call does with it.
    pub change: TagChange,
}

/// Calls that one and the same principal makes.
#[derive(Clone, Debug)]
pub struct Group {
    /// The technique's word for the principal.
    pub actor: Arc<str>,
    /// Its calls, in order, as positions in [`Rule::calls`].
    pub calls: Vec<usize>,
}

/// An object that must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// `$role`
    pub name: Arc<str>,
    /// Its kind.
    pub kind: Arc<str>,
    /// The slot and attribute that hold its ARN, if it is found through another object.
    pub from: Option<(usize, Arc<str>)>,
    /// The slot whose account and region it shares.
    pub beside: Option<usize>,
    /// What must be true of its attributes.
    pub matchers: Vec<(Arc<str>, MatcherOf)>,
    /// Who must be able to assume it, one of these.
    pub trusts: Vec<Truster>,
}

impl MatcherOf {
    /// Whether what must be true of an object's attribute is the same whatever else is bound.
    pub fn is_of_object_alone(&self) -> bool {
        let is_text = |text: &Expression| text.0.iter().all(|part| matches!(part, Part::Text(_)));
        match self {
            Self::OneOf(texts) => texts.iter().all(is_text),
            Self::Not(text) => is_text(text),
            Self::LessThan(_) | Self::AtLeast(_) | Self::Absent(_) | Self::Like(_) => true,
        }
    }
}

impl Slot {
    /// Whether the object is found through another one, by an attribute of that or of its own.
    pub fn is_found_through_others(&self) -> bool {
        self.from.is_some()
            || self.matchers.iter().any(|(_, matcher)| super::index::joined(matcher).is_some())
    }

    /// Whether the object is a role that a service has to be able to assume.
    pub fn is_assumed_by_service(&self) -> bool {
        self.trusts.iter().any(|who| who.service().is_some())
    }

    /// Whether the object is a role that one bound before has to be able to assume: it may be in
    /// another account.
    pub fn is_assumed_by_role(&self) -> bool {
        self.trusts.iter().any(|who| matches!(who, Truster::Role(_)))
    }
}

/// Who must be able to assume a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truster {
    /// A service principal, by the role's trust policy.
    Service(Arc<str>),
    /// A role bound before, by its own policies and the role's trust policy.
    Role(usize),
}

impl Truster {
    /// The service, if it is one.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Service(service) => Some(service),
            Self::Role(_) => None,
        }
    }
}

/// A matcher with names resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MatcherOf {
    /// One of these values.
    OneOf(Vec<Expression>),
    /// None of its values is this.
    Not(Expression),
    /// A number below this.
    LessThan(i64),
    /// A number of at least this.
    AtLeast(i64),
    /// Has no value, or has one.
    Absent(bool),
    /// Matches this pattern.
    Like(crate::pattern::Pattern),
}

/// A new resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewSlot {
    /// `$function`
    pub name: Arc<str>,
    /// Its kind.
    pub kind: Arc<str>,
    /// The slot of the object beside which it is made.
    pub beside: Option<usize>,
    /// What a service calls it, if that is not the attacker's to say.
    pub named: Option<Expression>,
}

/// What a rule gives, with names resolved.
#[derive(Clone, Debug)]
pub enum RuleGain {
    /// See [`escalade_models::Gain::Credentials`].
    Credentials(usize),
    /// See [`escalade_models::Gain::InlinePolicy`].
    InlinePolicy(usize),
    /// See [`escalade_models::Gain::PolicyText`].
    PolicyText(usize),
    /// See [`escalade_models::Gain::DefaultVersion`]: the version's slot.
    DefaultVersion(usize),
    /// See [`escalade_models::Gain::AttachedPolicy`]: holder and policy.
    AttachedPolicy(usize, Expression),
    /// See [`escalade_models::Gain::Membership`]: user and group.
    Membership(usize, usize),
    /// See [`escalade_models::Gain::TrustPolicy`].
    TrustPolicy(usize),
    /// See [`escalade_models::Gain::NoBoundary`].
    NoBoundary(usize),
    /// See [`escalade_models::Gain::DetachedPolicy`]: holder and policy.
    DetachedPolicy(usize, usize),
    /// See [`escalade_models::Gain::LeftGroup`]: user and group.
    LeftGroup(usize, usize),
    /// See [`escalade_models::Gain::Delegation`].
    Delegation {
        /// The role.
        role: usize,
        /// What the service does.
        mandate: Mandate,
        /// The resource through which.
        through: Expression,
        /// What the actions are limited to.
        resources: Vec<Expression>,
    },
    /// See [`escalade_models::Gain::Object`]: kind and attributes.
    Object(Arc<str>, Vec<(Arc<str>, Expression)>),
    /// See [`escalade_models::Gain::NewPrincipal`] and
    /// [`escalade_models::Gain::BoundedPrincipal`]: the new resource, and its boundary.
    NewPrincipal(usize, Option<usize>),
    /// See [`escalade_models::Gain::AttachedPrincipal`]: the new resource and the policy.
    AttachedPrincipal(usize, usize),
    /// See [`escalade_models::Gain::NewMember`]: the new resource and the group.
    NewMember(usize, usize),
    /// See [`escalade_models::Gain::DomainAdministration`].
    DomainAdministration(usize),
    /// See [`escalade_models::Gain::ResourcePolicy`].
    ResourcePolicy(usize),
    /// See [`escalade_models::Gain::NoResourcePolicy`].
    NoResourcePolicy(usize),
    /// See [`escalade_models::Gain::ResourceGrant`].
    ResourceGrant(usize, Granted),
    /// See [`escalade_models::Gain::Tag`], [`escalade_models::Gain::NoTag`] and
    /// [`escalade_models::Gain::SessionTag`]: what is tagged, and the key.
    Tag(usize, usize, TagChange),
    /// See [`escalade_models::Gain::IdentityProvider`].
    IdentityProvider,
    /// See [`escalade_models::Gain::MfaDevice`].
    MfaDevice(usize),
    /// See [`escalade_models::Gain::NoMfaDevice`].
    NoMfaDevice(usize),
    /// See [`escalade_models::Gain::ControlPolicyText`].
    ControlPolicyText(usize),
    /// See [`escalade_models::Gain::DetachedControlPolicy`]: target and policy.
    DetachedControlPolicy(usize, usize),
    /// See [`escalade_models::Gain::AttachedControlPolicy`]: target and policy.
    AttachedControlPolicy(usize, Option<usize>),
    /// See [`escalade_models::Gain::ControlPoliciesOff`].
    ControlPoliciesOff(usize, ControlPolicyKind),
    /// See [`escalade_models::Gain::LeftOrganization`]: the account's slot, unless it is the caller's.
    LeftOrganization(Option<usize>),
    /// See [`escalade_models::Gain::MovedAccount`]: account and parent.
    MovedAccount(usize, usize),
}

/// One way to apply a technique: no choices left.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Position of the technique in the catalogue.
    pub technique: usize,
    /// The technique's id.
    pub id: Arc<str>,
    /// Objects to bind, in order.
    pub slots: Vec<Slot>,
    /// Resources to make.
    pub new: Vec<NewSlot>,
    /// The calls, in order.
    pub calls: Vec<RuleCall>,
    /// Who makes which; the first is the principal that the rule is tried for.
    pub groups: Vec<Group>,
    /// Calls that others make for the attacker.
    pub bound: Vec<BoundCall>,
    /// What it gives.
    pub gains: Vec<RuleGain>,
    /// What has to happen besides.
    pub events: Vec<Arc<str>>,
    /// Rules of the stronger technique, as positions in [`Rules::rules`].
    pub weaker_than: Vec<usize>,
    /// Names of the technique elsewhere.
    pub aliases: Vec<Arc<str>>,
    /// The slots whose objects' own policies have a say in its calls.
    pub governed: Vec<usize>,
    /// By slot: what is found through its object that calls of the first group are about.
    pub anchors: Vec<Vec<Anchor>>,
    /// The session that a service begins.
    pub session: Option<RuleSession>,
}

/// What is found through the object of a slot and decides calls: wherever the object is, it is within
/// reach of whoever may make these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The attributes that lead there, one after the other.
    pub path: Vec<Arc<str>>,
    /// The kind of what they lead to.
    pub kind: Arc<str>,
    /// Whether its own policy has a say in the calls.
    pub governed: bool,
}

/// A session that a service begins.
#[derive(Clone, Debug)]
pub struct RuleSession {
    /// The slot of the role.
    pub of: usize,
    /// Its name, a pattern.
    pub name: Expression,
    /// Keys that come with its credentials, in lower case, with their values.
    pub keys: Vec<(Arc<str>, Expression)>,
}

impl Rule {
    /// The calls of a group, in order. The first group's are those that the principal makes for
    /// which the rule is tried.
    pub fn calls_of(&self, group: usize) -> impl Iterator<Item = &RuleCall> + Clone {
        let calls = self.groups.get(group).map_or(&[][..], |group| &group.calls);
        calls.iter().filter_map(|at| self.calls.get(*at))
    }

    /// The slot of the user whose token the first group's calls bring.
    pub fn bearer(&self) -> Option<usize> {
        self.calls_of(0).find_map(|call| call.bearer)
    }

    /// Whether all that the rule takes is a token: it is the same for everybody.
    pub fn is_by_token(&self) -> bool {
        self.groups.len() == 1 && self.begins_with_token()
    }

    /// Whether the first group's calls take nothing but tokens of identity providers: then neither who
    /// calls nor from which account matters.
    pub fn begins_with_token(&self) -> bool {
        let mut calls = self.calls_of(0).peekable();
        calls.peek().is_some() && calls.all(|call| call.federated.is_some())
    }

    /// Whether a principal that may be allowed these actions may make the first group's calls. Who
    /// brings a token needs no permission.
    pub fn is_within(&self, actions: &Actions) -> bool {
        self.calls_of(0).all(|call| call.is_by_token() || actions.contains(call.action_bit))
    }

    /// Whether the rule is of the technique named, here or elsewhere (`lambda-001`), or calls the
    /// action named. Case does not matter in actions.
    pub fn uses(&self, name: &str) -> bool {
        *self.id == *name
            || self.aliases.iter().any(|alias| {
                **alias == *name || alias.split_once(':').is_some_and(|(_, alias)| alias == name)
            })
            || self.calls.iter().any(|call| call.action.eq_ignore_ascii_case(name))
    }
}
