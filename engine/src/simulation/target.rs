//! What a request is about, from the words of the question.

use std::sync::Arc;

use crate::analysis::QuestionError;
use crate::authorization::global_region;
use crate::snapshot::{Object, ObjectId, World};

/// A resource and what the snapshot has of it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) arn: Arc<str>,
    /// The object that it is, or is part of.
    pub(super) object: Option<ObjectId>,
    /// The account that owns it.
    pub(super) account: Option<Arc<str>>,
    /// The Region of the call; empty if it is open.
    pub(super) region: Arc<str>,
}

impl Target {
    /// What `text` means for `action`.
    pub(super) fn find(world: &World, text: &str, action: &str) -> Result<Self, QuestionError> {
        let service = action.split(':').next().unwrap_or_default();
        let partition = world.accounts.first().map_or("aws", |account| &account.partition);
        let global = |service| global_region(service, partition);
        if text == "*" {
            let region = global(service).unwrap_or_default().into();
            return Ok(Self { arn: text.into(), object: None, account: None, region });
        }
        if text.contains(['*', '?']) {
            return Err(QuestionError::ResourcePattern(text.to_owned()));
        }
        let found =
            if text.starts_with("arn:") { holder(world, text) } else { called(world, text)? };
        let Some((id, object)) = found else {
            if !text.starts_with("arn:") {
                return Err(QuestionError::NoResource(text.to_owned()));
            }
            let field = |at| text.split(':').nth(at).unwrap_or_default();
            let account = field(4);
            let account = (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
                .then(|| account.into());
            let region = match field(3) {
                "" => global(service).unwrap_or_default(),
                region => region,
            };
            return Ok(Self { arn: text.into(), object: None, account, region: region.into() });
        };
        let account = world.accounts.get(object.account.0 as usize).map(|a| a.id.clone());
        let region = match &object.region {
            Some(region) => region.clone(),
            None => region_of(object).or(global(service).map(Into::into)).unwrap_or_default(),
        };
        let arn = if text.starts_with("arn:") { text.into() } else { object.arn.clone() };
        Ok(Self { arn, object: Some(id), account, region })
    }
}

/// The object of an ARN, or the one it is part of: the bucket of `arn:aws:s3:::bucket/key`, the
/// function of an alias.
fn holder<'w>(world: &'w World, arn: &str) -> Option<(ObjectId, &'w Object)> {
    let mut end = arn.len();
    loop {
        let start = arn.get(..end)?;
        if let Some(id) = world.find(start)
            && let Some(object) = world.object(id)
            // IAM's own things have paths, but no parts.
            && (end == arn.len() || !object.kind.starts_with("iam:"))
        {
            return Some((id, object));
        }
        end = start.rfind(['/', ':'])?;
    }
}

/// The one object whose ARN ends so: `role/admin`, `function:x`.
pub(crate) fn called<'w>(
    world: &'w World,
    text: &str,
) -> Result<Option<(ObjectId, &'w Object)>, QuestionError> {
    let mut found: Option<(ObjectId, &Object)> = None;
    for (at, object) in world.objects.iter().enumerate() {
        let whole = object.arn.strip_suffix(text).is_some_and(|rest| rest.ends_with([':', '/']));
        let named = text.split_once('/').is_some_and(|(kind, name)| {
            object.arn.contains(&format!(":{kind}/")) && *object.name == *name
        });
        if object.kind.starts_with("iam:inline-policy") || !(whole || named) {
            continue;
        }
        if let Some((_, first)) = found {
            return Err(QuestionError::Ambiguous {
                who: text.to_owned(),
                first: first.arn.to_string(),
                second: object.arn.to_string(),
            });
        }
        found = Some((ObjectId(u32::try_from(at).unwrap_or(u32::MAX)), object));
    }
    Ok(found)
}

fn region_of(object: &Object) -> Option<Arc<str>> {
    object.attribute("region").ok()?.first().cloned()
}
