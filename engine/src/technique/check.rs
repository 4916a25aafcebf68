//! What a call is checked on, with the condition keys that it determines.

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::TagChange;

use super::binding::{Binding, NoText, Reader, Text, is_of_organization};
use super::rule::{Determined, Expression, Part, RuleCall};
use crate::authorization::{Input, Resource, SOURCE_IDENTITY, TagKey, tag_variable};
use crate::pattern::Pattern;
use crate::residual::{Atom, Gap, Grammar, Residual, Test, Variable, VariableKind};
use crate::snapshot::ObjectId;

/// One check that a call makes: on which resource, with which keys the call determines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// The resource.
    pub resource: Resource,
    /// Its object, if the snapshot has it.
    pub object: Option<ObjectId>,
    /// The account that owns it.
    pub account: Option<Arc<str>>,
    /// The region of the call.
    pub region: Arc<str>,
    /// Keys that the call determines, in lower case.
    pub determined: Arc<BTreeMap<Arc<str>, Input>>,
    /// The action of the call, in lower case, where this is for something that it needs besides: it
    /// is one request, so what is chosen in it is the same.
    pub request: Option<Arc<str>>,
    /// The action, in lower case, of the call that has made the resource and may have given it tags.
    pub made_by: Option<Arc<str>>,
    /// Whether the resource is taken to be there, though the snapshot does not have it.
    pub is_there: bool,
    /// What has to be true of the request besides what is decided: which of several it is.
    pub given: Residual,
    /// Why the resource is not known, if it is not.
    pub gap: Option<Gap>,
}

impl Check {
    /// A check on no resource in particular.
    pub fn of_nothing() -> Self {
        Self {
            resource: Resource::Literal("*".into()),
            object: None,
            account: None,
            region: "us-east-1".into(),
            determined: Arc::default(),
            request: None,
            made_by: None,
            is_there: false,
            given: Residual::True,
            gap: None,
        }
    }
}

/// Keys that a call determines, with what has to be true of the request for these.
pub(super) type Determining = (BTreeMap<Arc<str>, Input>, Residual);

/// The combinations of condition keys that a call determines; more than one where AWS leaves a
/// value open, or where tags of several keys can be set with the one that it is about.
pub(super) fn contexts(
    reader: &Reader<'_, '_>,
    call: &RuleCall,
    binding: &Binding,
) -> Result<Vec<Determining>, NoText> {
    let mut out = tags_in_request(reader, call, binding)?;
    for (key, value) in &call.context {
        let one = |expression: &Expression| match reader.text(binding, expression) {
            Ok(Text::Literal(text)) => Ok(Input::One(text)),
            Ok(Text::Template(prefix, mut variable, suffix)) => {
                // What a token says is another text for each key.
                if expression.0.iter().any(|part| matches!(part, Part::Said | Part::Open)) {
                    variable.scope = key.clone();
                }
                Ok(Input::Template { prefix, variable, suffix })
            }
            Err(NoText::Absent) => Ok(Input::Absent),
            Err(NoText::Unknown(gap)) => Ok(Input::Unknown(gap)),
        };
        let inputs: Vec<Input> = match value {
            Determined::Absent => vec![Input::Absent],
            Determined::One(expression) => {
                let input = one(expression)?;
                match in_china(reader, binding, key, &input) {
                    Some(other) => vec![input, other],
                    None => vec![input],
                }
            }
            Determined::AnyOf(expressions) => {
                expressions.iter().map(one).collect::<Result<_, NoText>>()?
            }
            Determined::Many(expressions) => {
                let mut values = Vec::new();
                for expression in expressions {
                    match reader.text(binding, expression)? {
                        Text::Literal(text) => values.push(text),
                        Text::Template(prefix, variable, suffix) => {
                            values.push(format!("{prefix}{}{suffix}", variable.name).into());
                        }
                    }
                }
                vec![Input::Many(values)]
            }
        };
        if let [input] = inputs.as_slice() {
            for (context, _) in &mut out {
                context.insert(key.clone(), input.clone());
            }
            continue;
        }
        out = out
            .iter()
            .flat_map(|(context, given)| {
                inputs.iter().map(|input| {
                    let mut longer = context.clone();
                    longer.insert(key.clone(), input.clone());
                    (longer, given.clone())
                })
            })
            .collect();
    }
    Ok(out)
}

/// What else a role may be said to be passed to in China, where some service principals end otherwise.
///
/// Implements <https://docs.amazonaws.cn/en_us/aws/latest/userguide/iam.html>.
fn in_china(reader: &Reader<'_, '_>, binding: &Binding, key: &str, input: &Input) -> Option<Input> {
    let Input::One(service) = input else { return None };
    let accounts = &reader.view.ground.world.accounts;
    let account = accounts.get(binding.account.0 as usize).or(accounts.first())?;
    let is_passed = key.eq_ignore_ascii_case("iam:PassedToService");
    (is_passed && *account.partition == *"aws-cn" && service.ends_with(".amazonaws.com"))
        .then(|| Input::One(format!("{service}.cn").into()))
}

/// The name of variables that say which tags a request has, where something asks for them.
pub const TAGS_OF_REQUEST: &str = "tag keys";

/// The keys of the tags that a call sets, with their values open, or of the one that it takes away.
///
/// Besides the tag that it is about a request can set others: none, or those that some statement
/// asks of a request together. How a tag's key is spelled is free, since policies find tags by it
/// without regard to case while `aws:TagKeys` compares with case. All calls of a step that are about
/// the tag are one request: what is chosen is said by a variable that they share.
///
/// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html> and
/// "aws:TagKeys" of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
fn tags_in_request(
    reader: &Reader<'_, '_>,
    call: &RuleCall,
    binding: &Binding,
) -> Result<Vec<Determining>, NoText> {
    let Some(tags) = &call.tags else { return Ok(vec![(BTreeMap::new(), Residual::True)]) };
    let ground = reader.view.ground;
    let keys = ground.tag_keys();
    let key = binding.objects.get(tags.key).and_then(|id| ground.tag_key(*id));
    let key = key.ok_or(NoText::Absent)?;
    let name = keys.name(key).ok_or(NoText::Absent)?;
    let on = reader.object(binding, tags.on).ok_or(NoText::Absent)?;
    if name == SOURCE_IDENTITY {
        let variable = tag_variable(&on.arn, name, true);
        let input = Input::Free { variable, certain: true };
        return Ok(vec![(BTreeMap::from([("sts:sourceidentity".into(), input)]), Residual::True)]);
    }
    let beside = match tags.change {
        TagChange::Remove => vec![Vec::new()],
        TagChange::Set | TagChange::Session => keys.beside(key),
    };
    let set = |key: TagKey| {
        let session = tags.change == TagChange::Session;
        let variable = tag_variable(&on.arn, keys.name(key)?, session);
        Some((keys.in_request(key)?.clone(), Input::Free { variable, certain: true }))
    };
    let none: BTreeMap<Arc<str>, Input> =
        keys.all_in_request().map(|key| (key.clone(), Input::Absent)).collect();
    let own = set(key).filter(|_| tags.change != TagChange::Remove);
    let carried: Vec<_> = beside
        .iter()
        .map(|others| {
            let mut carried = none.clone();
            carried.extend(others.iter().filter_map(|other| set(*other)).chain(own.clone()));
            (others, carried)
        })
        .collect();
    let mut out = Vec::new();
    for spelling in keys.spellings(key) {
        for (others, carried) in &carried {
            let mut context = carried.clone();
            let others =
                others.iter().filter_map(|other| keys.spellings(*other).into_iter().next());
            let all: Vec<Arc<str>> = std::iter::once(spelling.clone()).chain(others).collect();
            let which = all.join(" ");
            context.insert("aws:tagkeys".into(), Input::Many(all));
            out.push((context, which));
        }
    }
    let one = out.len() == 1;
    let variable = Variable {
        name: TAGS_OF_REQUEST.into(),
        scope: format!("request with tag {name} of {}", on.arn).into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar::any(),
    };
    let given = |which: &str| match one {
        true => Residual::True,
        false => Residual::atom(Atom::Passes(
            variable.clone(),
            Test::Like(Pattern::literal(which, false)),
        )),
    };
    Ok(out.into_iter().map(|(context, which)| (context, given(&which))).collect())
}

/// A resource of which nothing is known.
pub(super) fn any_resource() -> Resource {
    let variable = Variable {
        name: "resource".into(),
        scope: "unknown".into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar { length: (1, 1024), ..Grammar::any() },
    };
    Resource::Template { prefix: "".into(), variable, suffix: "".into() }
}

/// A resource as the value of a condition key.
pub(super) fn input_of(resource: &Resource) -> Input {
    match resource.clone() {
        Resource::Literal(text) => Input::One(text),
        Resource::Template { prefix, variable, suffix } => {
            Input::Template { prefix, variable, suffix }
        }
    }
}

/// The account field of a resource's ARN, if it has one.
pub(super) fn account_in(resource: &Resource) -> Option<Arc<str>> {
    let text = match resource {
        Resource::Literal(text) => text,
        Resource::Template { prefix, .. } => prefix,
    };
    let mut parts = text.split(':').skip(2);
    let (service, account) = (parts.next()?, parts.nth(1)?);
    if is_of_organization(service) {
        return None;
    }
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then(|| account.into())
}
