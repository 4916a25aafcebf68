//! Audiences of tokens: an identity provider accepts those that it has a client for.

use super::actor::Actor;
use crate::authorization::{CallContext, Caller, Context, Input};
use crate::pattern::Pattern;
use crate::residual::{Atom, Residual, Test, Variable};

impl Actor<'_, '_> {
    /// What is left of an authorization by a token, since its audience has to be one that the identity
    /// provider has a client for. Where these are not shown, any is taken to be accepted.
    ///
    /// Implements `ClientIDList` of
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>.
    pub(super) fn for_accepted_audience(
        &self,
        allowed: Residual,
        context: &CallContext<'_>,
    ) -> Residual {
        let Caller::Federated(provider) = &self.caller else { return allowed };
        if self.any_audience {
            return allowed;
        }
        let world = self.view.ground.world;
        let of_provider = world.by_arn.get(provider).and_then(|id| self.view.object(*id));
        let (Some(object), Some((_, host))) = (of_provider, provider.split_once(":oidc-provider/"))
        else {
            return allowed;
        };
        let Ok(clients) = object.attribute("client-ids") else { return allowed };
        let is = |variable: &Variable, text: &str| {
            let test = Test::Like(Pattern::literal(text, false));
            Residual::atom(Atom::Passes(variable.clone(), test))
        };
        match context.get(&format!("{}:aud", host.to_lowercase())) {
            Input::One(audience) if !clients.contains(&audience) => Residual::False,
            Input::Template { prefix, variable, suffix } => {
                let rest = Residual::any(clients.iter().filter_map(|client| {
                    let text = client.strip_prefix(&*prefix)?.strip_suffix(&*suffix)?;
                    Some(is(&variable, text))
                }));
                allowed.and(rest)
            }
            // Who asks for no audience takes any that the provider does.
            Input::Free { variable, .. } if allowed.variables().contains(&variable) => {
                allowed.and(Residual::any(clients.iter().map(|client| is(&variable, client))))
            }
            _ => allowed,
        }
    }
}
