//! What a call is checked on, with the condition keys that it determines.

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::TagChange;

use super::binding::{Binding, NoText, Reader, Text};
use super::rule::{Determined, Expression, Part, RuleCall};
use crate::authorization::{Input, Resource, SOURCE_IDENTITY, tag_variable};
use crate::residual::{Gap, Grammar, Variable, VariableKind};
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
    pub determined: BTreeMap<Arc<str>, Input>,
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
            determined: BTreeMap::new(),
            gap: None,
        }
    }
}

/// The combinations of condition keys that a call determines; more than one where AWS leaves a
/// value open.
pub(super) fn contexts(
    reader: &Reader<'_, '_>,
    call: &RuleCall,
    binding: &Binding,
) -> Result<Vec<BTreeMap<Arc<str>, Input>>, NoText> {
    let mut out = vec![tag_in_request(reader, call, binding)?];
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
            Determined::One(expression) => vec![one(expression)?],
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
        out = out
            .iter()
            .flat_map(|context| {
                inputs.iter().map(|input| {
                    let mut longer = context.clone();
                    longer.insert(key.clone(), input.clone());
                    longer
                })
            })
            .collect();
    }
    Ok(out)
}

/// The keys of the tag that a call sets, with its value open, or takes away.
fn tag_in_request(
    reader: &Reader<'_, '_>,
    call: &RuleCall,
    binding: &Binding,
) -> Result<BTreeMap<Arc<str>, Input>, NoText> {
    let mut out = BTreeMap::new();
    let Some(tags) = &call.tags else { return Ok(out) };
    let ground = reader.view.ground;
    let key = binding.objects.get(tags.key).and_then(|id| ground.tag_key(*id));
    let name = key.and_then(|key| ground.tag_keys().name(key)).ok_or(NoText::Absent)?;
    let on = reader.object(binding, tags.on).ok_or(NoText::Absent)?;
    if name == SOURCE_IDENTITY {
        let variable = tag_variable(&on.arn, name, true);
        out.insert("sts:sourceidentity".into(), Input::Free { variable, certain: true });
        return Ok(out);
    }
    out.insert("aws:tagkeys".into(), Input::Many(vec![name.into()]));
    // One call sets one tag.
    for other in ground.tag_keys().names() {
        out.insert(format!("aws:requesttag/{other}").into(), Input::Absent);
    }
    if tags.change != TagChange::Remove {
        let variable = tag_variable(&on.arn, name, tags.change == TagChange::Session);
        out.insert(
            format!("aws:requesttag/{name}").into(),
            Input::Free { variable, certain: true },
        );
    }
    Ok(out)
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
    let account = text.split(':').nth(4)?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then(|| account.into())
}
