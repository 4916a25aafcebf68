//! Which objects are worth trying for a slot: those that an allow statement of the caller, or the
//! object's own policy, is about. Everything else would be denied, so it is not tried.

use roaring::RoaringBitmap;

use super::actor::Actor;
use super::rule::{Part, Rule};
use crate::authorization::Caller;

/// The snapshot's objects to try.
///
/// Where a call of the rule's first group is checked on the slot's object itself, the resource
/// patterns of the caller's allow statements select; otherwise every object of the kind in the
/// caller's account is tried.
pub(super) fn candidates(actor: &Actor<'_, '_>, rule: &Rule, slot: usize) -> RoaringBitmap {
    let index = &actor.search.index;
    let Some(kind) = rule.slots.get(slot).map(|slot| &*slot.kind) else {
        return RoaringBitmap::new();
    };
    let Some(of_kind) = index.objects.of_kind(kind) else { return RoaringBitmap::new() };
    let account = actor.view.object(actor.principal).map(|object| object.account);
    let whole = |parts: &[Part]| matches!(parts, [Part::Object(s)] if *s == slot);
    let checked = rule
        .calls_of(0)
        .find(|call| call.resources.iter().any(|expression| whole(&expression.0)));
    let within_reach = of_kind.within_reach(account);
    match checked {
        // A token is enough: neither the caller's policies nor its account count.
        Some(call) if call.federated.is_some() => index.federating() & &of_kind.all,
        Some(call) if !matches!(actor.caller, Caller::Anonymous) => {
            let assumes = &*call.action_lowercase == "sts:assumerole";
            // Another account's object is only within reach if its own policy lets the caller in.
            let mut out = actor.allowed_objects(call, kind);
            if assumes {
                let trusting = index.trusting(&actor.caller);
                // Trust in the account is enough only together with a policy of the caller.
                match index.trusting_account(&actor.caller) {
                    Some(account) => out &= &trusting | account,
                    None => out &= &trusting,
                }
                out |= trusting;
            } else {
                out &= within_reach | &index.assumable;
                if let Some(granting) = index.granting(kind) {
                    out |= granting;
                }
            }
            out & &of_kind.all
        }
        _ => within_reach,
    }
}
