//! Reads a case from its line.

use std::sync::Arc;

use crate::authorization::{Caller, Context, Input, Resource};
use crate::policy::json::{Kind, Reader};
use crate::policy::{Policy, PolicyError};

/// A case as it was written.
pub(in crate::authorization) struct Case {
    pub(in crate::authorization) id: String,
    pub(in crate::authorization) caller: Caller,
    pub(in crate::authorization) action: String,
    pub(in crate::authorization) resource: Resource,
    pub(in crate::authorization) resource_account: Option<String>,
    pub(in crate::authorization) context: CompleteContext,
    pub(in crate::authorization) identity: Vec<Policy>,
    pub(in crate::authorization) boundary: Option<Policy>,
    pub(in crate::authorization) session: Option<Policy>,
    pub(in crate::authorization) service_control: Vec<Vec<Policy>>,
    pub(in crate::authorization) resource_control: Vec<Vec<Policy>>,
    pub(in crate::authorization) resource_policy: Option<Policy>,
    pub(in crate::authorization) principal_in_management_account: bool,
    pub(in crate::authorization) resource_in_management_account: bool,
    /// Members that no case has.
    pub(in crate::authorization) passed_over: Vec<String>,
}

/// What says nothing about the request: where a case is from, what it is about, what is expected.
const REMARKS: [&str; 5] = ["source", "expect", "tags", "reason", "note"];

impl Case {
    /// Reads the line; members it does not know are passed over and named.
    pub(in crate::authorization) fn read(line: &str) -> Result<Self, PolicyError> {
        let (mut id, mut request) = (None, None);
        let mut identity = Vec::new();
        let (mut boundary, mut session, mut resource_policy) = (None, None, None);
        let (mut service_control, mut resource_control) = (Vec::new(), Vec::new());
        let (mut principal_managed, mut resource_managed) = (false, false);
        let mut passed_over: Vec<String> = Vec::new();
        let mut reader = Reader::new(line);
        reader.object("a case", |reader, member| {
            match member {
                "id" => id = Some(reader.string("a string")?.into_owned()),
                "request" => request = Some(RequestPart::read(reader, &mut passed_over)?),
                "identity_policies" => identity = policies(reader)?,
                "boundary" => boundary = policy(reader)?,
                "session_policy" => session = policy(reader)?,
                "resource_policy" => resource_policy = policy(reader)?,
                "scps" => service_control = levels(reader)?,
                "rcps" => resource_control = levels(reader)?,
                "org" if reader.null() => {}
                "org" => reader.object("an object", |reader, member| {
                    match member {
                        "principal_in_management_account" => {
                            principal_managed = reader.boolean()?
                        }
                        "resource_in_management_account" => resource_managed = reader.boolean()?,
                        other => {
                            passed_over.push(format!("org.{other}"));
                            reader.skip()?;
                        }
                    }
                    Ok(())
                })?,
                other => {
                    if !REMARKS.contains(&other) {
                        passed_over.push(other.to_owned());
                    }
                    reader.skip()?;
                }
            }
            Ok(())
        })?;
        reader.finish()?;
        let request = request.ok_or_else(|| PolicyError::new("a request", "none"))?;
        Ok(Self {
            id: id.ok_or_else(|| PolicyError::new("an id", "none"))?,
            caller: request.caller,
            action: request.action,
            resource: request.resource,
            resource_account: request.resource_account,
            context: request.context,
            identity,
            boundary,
            session,
            service_control,
            resource_control,
            resource_policy,
            principal_in_management_account: principal_managed,
            resource_in_management_account: resource_managed,
            passed_over,
        })
    }
}

/// The id of a line that could not be read as a case.
pub(super) fn id_of(line: &str) -> Option<String> {
    let mut id = None;
    // What cannot be read has been reported already.
    let _ = Reader::new(line).object("a case", |reader, member| {
        if member == "id" {
            id = Some(reader.string("a string")?.into_owned());
        } else {
            reader.skip()?;
        }
        Ok(())
    });
    id
}

struct RequestPart {
    caller: Caller,
    action: String,
    resource: Resource,
    resource_account: Option<String>,
    context: CompleteContext,
}

impl RequestPart {
    fn read(reader: &mut Reader<'_>, passed_over: &mut Vec<String>) -> Result<Self, PolicyError> {
        let (mut caller, mut action, mut resource, mut account) = (None, None, None, None);
        let mut context = CompleteContext::default();
        reader.object("a request", |reader, member| {
            match member {
                "principal" => caller = Some(read_caller(reader)?),
                "action" => action = Some(reader.string("a string")?.into_owned()),
                "resource" => {
                    resource = Some(Resource::Literal((&*reader.string("a string")?).into()));
                }
                "resource_account" if reader.null() => {}
                "resource_account" => account = Some(reader.string("a string")?.into_owned()),
                "context" => context = CompleteContext::read(reader)?,
                other => {
                    passed_over.push(format!("request.{other}"));
                    reader.skip()?;
                }
            }
            Ok(())
        })?;
        Ok(Self {
            caller: caller.ok_or_else(|| PolicyError::new("a principal", "none"))?,
            action: action.ok_or_else(|| PolicyError::new("an action", "none"))?,
            resource: resource.ok_or_else(|| PolicyError::new("a resource", "none"))?,
            resource_account: account,
            context,
        })
    }
}

fn read_caller(reader: &mut Reader<'_>) -> Result<Caller, PolicyError> {
    const EXPECTED: &str = "a principal";
    if reader.kind() == Kind::String {
        let text = reader.string(EXPECTED)?;
        return caller(&text).ok_or_else(|| PolicyError::new(EXPECTED, &text));
    }
    let mut caller = None;
    reader.object(EXPECTED, |reader, kind| {
        let name: Arc<str> = (&*reader.string("a string")?).into();
        caller = Some(match kind {
            "Service" => Caller::Service(name),
            "Federated" => Caller::Federated(name),
            other => return Err(PolicyError::new("Service or Federated", other)),
        });
        Ok(())
    })?;
    caller.ok_or_else(|| PolicyError::new(EXPECTED, "none"))
}

fn caller(text: &str) -> Option<Caller> {
    if text == "anonymous" {
        return Some(Caller::Anonymous);
    }
    let mut parts = text.splitn(6, ':');
    let (Some("arn"), Some(_), Some(service), Some(_), Some(_), Some(resource)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let kind = resource.split('/').next().unwrap_or_default();
    let arn = || Arc::from(text);
    match (service, kind) {
        ("iam", "user") => Some(Caller::User(arn())),
        ("iam", "role") => Some(Caller::Role(arn())),
        ("iam", "root") => Some(Caller::Root(arn())),
        ("sts", "assumed-role") => Some(Caller::RoleSession { session: arn(), role: None }),
        ("sts", "federated-user") => Some(Caller::FederatedUser(arn())),
        _ => None,
    }
}

fn policy(reader: &mut Reader<'_>) -> Result<Option<Policy>, PolicyError> {
    if reader.null() { Ok(None) } else { Policy::read(reader).map(Some) }
}

fn policies(reader: &mut Reader<'_>) -> Result<Vec<Policy>, PolicyError> {
    let mut out = Vec::new();
    if !reader.null() {
        reader.array("a list of policies", |reader, _| {
            out.push(Policy::read(reader)?);
            Ok(())
        })?;
    }
    Ok(out)
}

fn levels(reader: &mut Reader<'_>) -> Result<Vec<Vec<Policy>>, PolicyError> {
    let mut out = Vec::new();
    if !reader.null() {
        reader.array("a list of levels", |reader, _| {
            out.push(policies(reader)?);
            Ok(())
        })?;
    }
    Ok(out)
}

/// The keys of a case, by name in lower case. There are few, so they are looked for in order.
#[derive(Default)]
pub(in crate::authorization) struct CompleteContext {
    keys: Vec<(String, Input)>,
}

impl CompleteContext {
    fn read(reader: &mut Reader<'_>) -> Result<Self, PolicyError> {
        let mut keys = Vec::with_capacity(24);
        reader.object("an object of condition keys", |reader, key| {
            let input = if reader.kind() == Kind::Array {
                let mut values = Vec::new();
                reader.array("values", |reader, _| {
                    values.push((&*reader.scalar("a string")?).into());
                    Ok(())
                })?;
                Input::Many(values)
            } else {
                Input::One((&*reader.scalar("a string or a list of strings")?).into())
            };
            let key = key.to_lowercase();
            if keys.iter().any(|(known, _)| *known == key) {
                return Err(PolicyError::new("each condition key once", &key));
            }
            keys.push((key, input));
            Ok(())
        })?;
        Ok(Self { keys })
    }
}

impl Context for CompleteContext {
    fn get(&self, key: &str) -> Input {
        let found = self.keys.iter().find(|(name, _)| name == key);
        found.map_or(Input::Absent, |(_, input)| input.clone())
    }

    fn is_about_policies_alone(&self) -> bool {
        true
    }
}
