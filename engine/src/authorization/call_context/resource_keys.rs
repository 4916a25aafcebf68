//! Condition keys that say what the resource of a call is like.

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::{Availability, KeyKind, Presence};

use super::CallContext;
use crate::authorization::Input;
use crate::residual::{Gap, Variable, VariableKind};
use crate::snapshot::{Detail, Object, ObjectId};

impl CallContext<'_> {
    /// Keys of a service's own that say what the resource is like, where the snapshot shows it.
    /// `None`: not such a key, or not shown.
    pub(super) fn of_resource(&self, key: &str) -> Option<Input> {
        let id = self.object?;
        let object = self.view.object(id)?;
        let Availability::Carried(known) = self.available(key) else { return None };
        if known.kind != KeyKind::Determined {
            return self.of_those(key, object, known.attribute.as_deref()?);
        }
        if let Some(conditions) = &known.tag_where {
            let start = known.name.split('*').next().unwrap_or_default().len();
            return Some(self.tag_where(id, object, key, key.get(start..)?, conditions));
        }
        let name = known.attribute.as_deref()?;
        if let Some(noted) = self.of_object {
            noted.other.set(true);
        }
        match self.view.attribute(object, name) {
            Ok(values) if known.multivalued && !values.is_empty() => Some(Input::Many(values)),
            Ok(values) => match values.first() {
                Some(value) => Some(Input::One(value.clone())),
                // Each such resource has a value, so the response left it out.
                None if known.presence == Presence::Always => None,
                // What the attacker makes is described as far as techniques need it.
                None if matches!(object.detail, Detail::Other)
                    && !object.attributes.contains_key(name) =>
                {
                    None
                }
                None => Some(Input::Absent),
            },
            Err(gap) => Some(Input::Unknown(gap)),
        }
    }

    /// A key that the caller chooses from what the resource has: nothing or the only one where it has
    /// no more. `None`: one of several.
    fn of_those(&self, key: &str, object: &Object, attribute: &str) -> Option<Input> {
        if let Some(noted) = self.of_object {
            noted.other.set(true);
        }
        match self.view.attribute(object, attribute) {
            Ok(values) => match values.as_slice() {
                [] => Some(Input::Absent),
                [one] => {
                    let name = self.spelling(key);
                    let variable = self.variable(&name, VariableKind::Chosen, false);
                    let value = Box::new(Input::One(one.clone()));
                    Some(Input::IfPresent { variable, value })
                }
                _ => None,
            },
            Err(gap) => Some(Input::Unknown(gap)),
        }
    }

    /// Whether the tags of the resource are compared in a way that AWS says not to rely on.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>
    pub(super) fn has_unreliable_tags(&self) -> bool {
        self.action == "iam:passrole"
    }

    /// A tag of the resource that counts where the resource's attributes are such.
    pub(super) fn tag_where(
        &self,
        id: ObjectId,
        object: &Object,
        key: &str,
        tag: &str,
        conditions: &BTreeMap<String, String>,
    ) -> Input {
        if let Some(noted) = self.of_object {
            noted.other.set(true);
        }
        let value = self.view.tag(id, object, tag);
        let mut certain = true;
        for (name, wanted) in conditions {
            match self.view.attribute(object, name) {
                Ok(values) if values.iter().any(|value| **value == **wanted) => {}
                Ok(_) => return Input::Absent,
                Err(_) => certain = false,
            }
        }
        match value {
            Input::Absent => value,
            _ if certain => value,
            Input::One(_) => {
                let name = self.spelling(key);
                let mut variable = self.variable(&name, VariableKind::Environment, false);
                variable.scope = object.arn.clone();
                Input::IfPresent { variable, value: Box::new(value) }
            }
            _ => Input::Unknown(Gap(format!(
                "whether tags of {} count in conditions is not known",
                object.arn
            )
            .into())),
        }
    }

    /// The scope of what is not known of the resource: the same, whether its name is open or not.
    /// What the snapshot does not have is told apart by account and type.
    pub(super) fn resource_scope(&self) -> Arc<str> {
        if let Some(object) = self.object.and_then(|id| self.view.object(id)) {
            return object.arn.clone();
        }
        let text = self.resource.start();
        let before: usize = text.split_inclusive(':').take(5).map(str::len).sum();
        let rest = text.get(before..).unwrap_or_default();
        let end = rest.find(['/', ':']).map_or(text.len(), |at| before + at);
        text.get(..end).unwrap_or_default().into()
    }

    /// Whether the check carries a key.
    pub(super) fn available(&self, key: &str) -> Availability<'_> {
        let resource = self.resource.start();
        let available = self.keys.availability_on(self.action, resource, key);
        if !matches!(available, Availability::Carried(_)) && self.request != self.action {
            return self.keys.availability_on(self.request, resource, key);
        }
        available
    }

    /// The value of a key that says what the resource is like, where the call before that has made
    /// it had it in its request: the attacker's choice there. In the name's spelling.
    pub(super) fn as_made(&self, name: &Arc<str>) -> Option<Variable> {
        let maker = self.made_by?;
        let known = self.keys.get(maker, name)?;
        let mut variable = self.variable(name, VariableKind::Chosen, known.multivalued);
        variable.scope = maker.into();
        (known.kind == KeyKind::Chosen).then_some(variable)
    }
}
