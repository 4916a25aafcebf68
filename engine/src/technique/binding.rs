//! A rule's names bound to objects of the world, and its expressions read under such a binding.

use std::sync::Arc;

use escalade_models::ResourceKinds;

use super::rule::{Expression, MatcherOf, Part, Rule};
use crate::authorization::{Resource, View};
use crate::residual::{Gap, Grammar, Residual, Variable, VariableKind};
use crate::snapshot::{AccountIndex, Detail, Known, Object, ObjectId};

/// What the names and ids of AWS's resources consist of, of whatever kind.
const ID_ALPHABET: [(char, char); 5] = [('-', '.'), ('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// How long they are.
const ID_LENGTH: (u16, u16) = (1, 64);

/// Characters of what a token says.
const SAID_ALPHABET: [(char, char); 1] = [('!', '~')];

/// How long it is.
const SAID_LENGTH: (u16, u16) = (1, 128);

/// A text that the attacker chooses.
fn open(name: &str, grammar: Grammar) -> Text {
    let (name, scope, kind) = (name.into(), "".into(), VariableKind::Chosen);
    let variable = Variable { name, scope, kind, multivalued: false, grammar };
    Text::Template("".into(), variable, "".into())
}

/// Another part of a text that the attacker chooses, behind what stands between the two.
fn append(grammar: &mut Grammar, between: &str, more: &Grammar) {
    let length = u16::try_from(between.chars().count()).unwrap_or(u16::MAX);
    let whole = |own: u16, more: u16| own.saturating_add(length).saturating_add(more);
    grammar.length =
        (whole(grammar.length.0, more.length.0), whole(grammar.length.1, more.length.1));
    grammar.between = grammar.between.iter().cloned().chain([Arc::from(between)]).collect();
}

/// Objects for a rule's slots, in order, and where the step happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// One object for each slot bound so far.
    pub objects: Vec<ObjectId>,
    /// The account of the principal that the rule is tried for.
    pub account: AccountIndex,
    /// The region of new resources.
    pub region: Arc<str>,
    /// The name of the user or role that the rule makes, where it is not left open.
    pub name: Option<Arc<str>>,
}

/// Why an expression has no text under a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoText {
    /// An attribute has no value.
    Absent,
    /// An attribute's value is not known.
    Unknown(Gap),
}

/// Text with at most one part that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Known.
    Literal(Arc<str>),
    /// Prefix, variable, suffix.
    Template(Arc<str>, Variable, Arc<str>),
}

impl From<Text> for Resource {
    fn from(text: Text) -> Self {
        match text {
            Text::Literal(text) => Resource::Literal(text),
            Text::Template(prefix, variable, suffix) => {
                Resource::Template { prefix, variable, suffix }
            }
        }
    }
}

/// What reading expressions needs besides the binding.
#[derive(Clone, Copy)]
pub struct Reader<'r, 'w> {
    /// Snapshot and edits.
    pub view: View<'r, 'w>,
    /// Forms of ARNs and names by kind.
    pub kinds: &'r ResourceKinds,
    /// The rule.
    pub rule: &'r Rule,
}

impl Reader<'_, '_> {
    /// The object bound to a slot.
    pub fn object(&self, binding: &Binding, slot: usize) -> Option<&Object> {
        self.view.object(*binding.objects.get(slot)?)
    }

    /// Where a new resource is made: account id, partition and region.
    fn place<'b>(&'b self, binding: &'b Binding, new: usize) -> (&'b str, &'b str, &'b str) {
        let beside = self
            .rule
            .new
            .get(new)
            .and_then(|slot| slot.beside)
            .and_then(|slot| self.object(binding, slot));
        let account = beside.map_or(binding.account, |object| object.account);
        let region = beside.and_then(|object| object.region.as_deref()).unwrap_or(&binding.region);
        match self.view.ground.world.accounts.get(account.0 as usize) {
            Some(account) => (&account.id, &account.partition, region),
            None => ("", "aws", region),
        }
    }

    /// The variable that stands for the ARN of a slot's object until it is bound.
    pub fn slot_variable(&self, slot: usize) -> Option<Variable> {
        Some(Variable {
            name: self.rule.slots.get(slot)?.name.clone(),
            scope: "unbound".into(),
            kind: VariableKind::Chosen,
            multivalued: false,
            grammar: crate::residual::Grammar::any(),
        })
    }

    /// The formula with the ARN of the object that a slot has been bound to.
    pub fn bind(&self, residual: Residual, binding: &Binding, slot: usize) -> Residual {
        if matches!(residual, Residual::True | Residual::False) {
            return residual;
        }
        let (Some(variable), Some(object)) = (self.slot_variable(slot), self.object(binding, slot))
        else {
            return residual;
        };
        let Text::Literal(arn) = arn_of(self.kinds, object) else { return residual };
        let value = crate::solver::Value::One(arn);
        residual.substitute(&|atom| {
            (*atom.variable() == variable)
                .then(|| Residual::constant(crate::solver::holds(atom, &value)))
        })
    }

    /// The variable that stands for a new resource's name.
    fn new_variable(&self, new: usize) -> Option<(Variable, &escalade_models::ResourceKind)> {
        let slot = self.rule.new.get(new)?;
        let kind = self.kinds.get(&slot.kind)?;
        let grammar = crate::authorization::grammar_of(&kind.name);
        Some((
            Variable {
                name: slot.name.clone(),
                scope: "".into(),
                kind: VariableKind::Chosen,
                multivalued: false,
                grammar,
            },
            kind,
        ))
    }

    /// The name of a new resource, where it is given.
    fn given_name<'b>(&self, binding: &'b Binding, new: usize) -> Option<&'b Arc<str>> {
        binding.name.as_ref().filter(|_| self.rule.named_principal() == Some(new))
    }

    /// For whom a service acts with the role of a slot, as it says in `aws:SourceArn`: one of these.
    /// `None` is one that is not known.
    pub fn sources(&self, binding: &Binding, slot: usize) -> Vec<Option<Resource>> {
        let known = |source: &Expression| {
            let source = Resource::from(self.text(binding, source).ok()?);
            (source != Resource::Literal("*".into())).then_some(source)
        };
        let sources: Vec<Option<Resource>> = self.rule.sources(slot).iter().map(known).collect();
        if sources.is_empty() { vec![None] } else { sources }
    }

    /// The text of an expression. An expression with more than one part that is not known is a gap,
    /// unless all are names that no response shows.
    pub fn text(&self, binding: &Binding, expression: &Expression) -> Result<Text, NoText> {
        if let [part] = expression.0.as_slice()
            && *part != Part::Open
        {
            return self.part(binding, part);
        }
        let mut prefix = String::new();
        let mut variable: Option<Variable> = None;
        let mut suffix = String::new();
        for part in &expression.0 {
            let piece = self.part(binding, part)?;
            let open = if variable.is_some() { &mut suffix } else { &mut prefix };
            match piece {
                Text::Literal(text) => open.push_str(&text),
                Text::Template(before, unknown, after) => match &mut variable {
                    None => {
                        prefix.push_str(&before);
                        suffix.push_str(&after);
                        variable = Some(unknown);
                    }
                    Some(first) if *part == Part::Open && first.name == unknown.name => {
                        append(&mut first.grammar, &suffix, &unknown.grammar);
                        suffix.clear();
                    }
                    Some(_) => {
                        let gap = format!("{}: two unknown names in one resource", self.rule.id);
                        return Err(NoText::Unknown(Gap(gap.into())));
                    }
                },
            }
        }
        // In one form the name is one and the same, in another it is another.
        if let Some(open) = variable.as_mut().filter(|_| expression.0.contains(&Part::Open)) {
            open.scope = prefix.as_str().into();
        }
        Ok(match variable {
            None => Text::Literal(prefix.into()),
            Some(variable) => Text::Template(prefix.into(), variable, suffix.into()),
        })
    }

    fn part(&self, binding: &Binding, part: &Part) -> Result<Text, NoText> {
        let literal = |text: &str| Ok(Text::Literal(text.into()));
        let account = self.view.ground.world.accounts.get(binding.account.0 as usize);
        match part {
            Part::Text(text) => Ok(Text::Literal(text.clone())),
            Part::Partition => {
                // Whoever calls from outside does so in the snapshot's partition.
                let account = account.or(self.view.ground.world.accounts.first());
                literal(account.map_or("aws", |account| &account.partition))
            }
            Part::Account => literal(account.map_or("", |account| &account.id)),
            Part::Region => literal(self.region(binding)),
            Part::Object(slot) => {
                let Some(object) = self.object(binding, *slot) else {
                    let variable = self.slot_variable(*slot).ok_or(NoText::Absent)?;
                    return Ok(Text::Template("".into(), variable, "".into()));
                };
                Ok(arn_of(self.kinds, object))
            }
            Part::Attribute(slot, name) => {
                let object = self.object(binding, *slot).ok_or(NoText::Absent)?;
                match self.view.attribute(object, name) {
                    Ok(values) => match values.first() {
                        Some(value) => Ok(Text::Literal(value.clone())),
                        None => Err(NoText::Absent),
                    },
                    Err(gap) => Err(NoText::Unknown(gap)),
                }
            }
            Part::New(new) => {
                let (variable, kind) = self.new_variable(*new).ok_or(NoText::Absent)?;
                let name = self.given_name(binding, *new);
                let (account, partition, region) = self.place(binding, *new);
                let slot = self.rule.new.get(*new);
                let parent = slot.and_then(|slot| self.object(binding, slot.beside?));
                let parent = parent.map_or("", |parent| &parent.name);
                let form = kind.arn_within(partition, region, account, parent, "{name}");
                let (prefix, suffix) = form.split_once("{name}").unwrap_or((&form, ""));
                if let Some(named) = slot.and_then(|slot| slot.named.as_ref()) {
                    return Ok(match self.text(binding, named)? {
                        Text::Literal(name) => {
                            Text::Literal(format!("{prefix}{name}{suffix}").into())
                        }
                        Text::Template(before, open, after) => {
                            let (before, after) =
                                (format!("{prefix}{before}"), format!("{after}{suffix}"));
                            Text::Template(before.into(), open, after.into())
                        }
                    });
                }
                Ok(match name {
                    Some(name) => Text::Literal(format!("{prefix}{name}{suffix}").into()),
                    None => Text::Template(prefix.into(), variable, suffix.into()),
                })
            }
            Part::Open => Ok(open("id", Grammar::new(&ID_ALPHABET, ID_LENGTH))),
            Part::Said => Ok(open("text", Grammar::new(&SAID_ALPHABET, SAID_LENGTH))),
            Part::NewName(new) => {
                let (variable, _) = self.new_variable(*new).ok_or(NoText::Absent)?;
                Ok(match self.given_name(binding, *new) {
                    Some(name) => Text::Literal(name.clone()),
                    None => Text::Template("".into(), variable, "".into()),
                })
            }
        }
    }

    /// The region of a step: that of the first bound object that has one, else the binding's.
    pub fn region<'b>(&'b self, binding: &'b Binding) -> &'b str {
        binding
            .objects
            .iter()
            .filter_map(|id| self.view.object(*id))
            .find_map(|object| object.region.as_deref())
            .unwrap_or(&binding.region)
    }

    /// Whether the object bound last passes its slot's matchers.
    pub fn matches(&self, binding: &Binding, slot: usize) -> Residual {
        let (Some(description), Some(object)) =
            (self.rule.slots.get(slot), self.object(binding, slot))
        else {
            return Residual::False;
        };
        if let Some(beside) = description.beside
            && let Some(other) = self.object(binding, beside)
            && !shares_place(object, other)
        {
            return Residual::False;
        }
        Residual::all(
            description
                .matchers
                .iter()
                .map(|matcher| self.attribute_fits(binding, object, matcher)),
        )
    }

    /// When what must be true of an object's attribute is.
    pub fn attribute_fits(
        &self,
        binding: &Binding,
        object: &Object,
        (attribute, matcher): &(Arc<str>, MatcherOf),
    ) -> Residual {
        match self.view.attribute(object, attribute) {
            Ok(values) => self.matcher(binding, matcher, &values),
            Err(gap) => Residual::Unknown(gap),
        }
    }

    fn matcher(&self, binding: &Binding, matcher: &MatcherOf, values: &[Arc<str>]) -> Residual {
        let number = || values.first().and_then(|value| value.parse::<i64>().ok());
        let has = |expression: &Expression| match self.text(binding, expression) {
            Ok(Text::Literal(text)) => Residual::constant(values.contains(&text)),
            Ok(Text::Template(..)) | Err(NoText::Absent) => Residual::False,
            Err(NoText::Unknown(gap)) => Residual::Unknown(gap),
        };
        match matcher {
            MatcherOf::OneOf(expressions) => Residual::any(expressions.iter().map(has)),
            MatcherOf::Not(expression) => has(expression).negate(),
            MatcherOf::LessThan(bound) => Residual::constant(number().is_some_and(|n| n < *bound)),
            MatcherOf::AtLeast(bound) => Residual::constant(number().is_some_and(|n| n >= *bound)),
            MatcherOf::Absent(absent) => Residual::constant(values.is_empty() == *absent),
            MatcherOf::Like(pattern) => {
                Residual::constant(values.iter().any(|value| pattern.matches(value)))
            }
        }
    }
}

/// Whether two objects are in one account and, if both have one, in one region. A policy that AWS
/// manages is in every account.
fn shares_place(object: &Object, other: &Object) -> bool {
    let regions = match (&object.region, &other.region) {
        (Some(one), Some(two)) => one == two,
        _ => true,
    };
    regions && (object.account == other.account || object.is_aws_managed())
}

/// The ARN of an object; of one that stands for what was not listed, name open.
pub fn arn_of(kinds: &ResourceKinds, object: &Object) -> Text {
    let open = object.arn.split_once("{name}").filter(|_| object.is_unlisted());
    let Some((prefix, suffix)) = open else { return Text::Literal(object.arn.clone()) };
    let grammar = kinds
        .get(&object.kind)
        .map_or_else(Grammar::any, |kind| crate::authorization::grammar_of(&kind.name));
    let variable = Variable {
        name: object.kind.clone(),
        scope: "unlisted".into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar,
    };
    Text::Template(prefix.into(), variable, suffix.into())
}

/// Whether objects of a kind are the organization's: see [`Object::is_of_organization`].
pub fn is_of_organization(kind: &str) -> bool {
    let service = kind.split(':').next().unwrap_or_default();
    matches!(service, "sso" | "identitystore") || kind == "iam:account"
}

impl Object {
    /// Whether it is a service-linked role: control policies do not bind these.
    pub fn is_service_linked(&self) -> bool {
        self.arn.contains(":role/aws-service-role/")
    }

    /// Whether it is a policy that AWS manages.
    pub fn is_aws_managed(&self) -> bool {
        matches!(&self.detail, Detail::Policy(policy) if policy.aws_managed)
    }

    /// Whether whoever may call about it does so from his own account: what IAM Identity Center has
    /// is in no account, and a session as root of another account takes no permission there.
    pub fn is_of_organization(&self) -> bool {
        is_of_organization(&self.kind)
    }

    /// Whether it is no more one account's than another's: the organization, or what
    /// [`Self::is_of_organization`].
    pub fn is_in_all_accounts(&self) -> bool {
        self.is_of_organization() || &*self.kind == "organizations:organization"
    }

    /// Whether this stands for the objects of a kind that was not listed: its ARN has `{name}`
    /// where the name would be, and no attribute is known.
    pub fn is_unlisted(&self) -> bool {
        matches!(self.detail, Detail::Unlisted(_))
    }

    /// The values of an attribute; empty if it has none.
    pub fn attribute(&self, name: &str) -> Known<Vec<Arc<str>>> {
        match self.attributes.get(name) {
            Some(values) => values.clone(),
            None if name == "name" && !self.is_unlisted() => Ok(vec![self.name.clone()]),
            None if self.is_unlisted() && crate::snapshot::shows_keys(name) => Ok(Vec::new()),
            None if self.is_unlisted() => Err(Gap(self.name.clone())),
            None => Ok(Vec::new()),
        }
    }
}
