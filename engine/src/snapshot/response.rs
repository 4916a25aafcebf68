//! What AWS answered to a command: content, a known absence, or nothing that is known.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use super::error::{JsonPointer, SnapshotError};
use super::files::{File, Reader, Responses, gap};
use crate::residual::Gap;

/// The answer to a command.
#[derive(Debug)]
pub(super) enum Response {
    /// This.
    Content(Value),
    /// AWS said that there is no such thing.
    Absent,
    /// Not asked, not permitted, or not readable.
    Unknown(Gap),
}

/// The responses of one Region of an account, each read once.
pub(super) struct ResponseFiles<'a> {
    responses: &'a Responses,
    /// The Region's folder, for messages.
    shown: String,
    reader: &'a Reader<'a>,
    read: HashMap<String, Rc<Response>>,
    damaged: Vec<SnapshotError>,
    gaps: Vec<Gap>,
}

impl<'a> ResponseFiles<'a> {
    pub(super) fn new(responses: &'a Responses, shown: String, reader: &'a Reader<'a>) -> Self {
        Self {
            responses,
            shown,
            reader,
            read: HashMap::new(),
            damaged: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Whether there is a file for the command.
    pub(super) fn is_there(&self, command: &str) -> bool {
        self.responses.get(command).is_some()
    }

    /// The files there are.
    pub(super) fn responses(&self) -> &'a Responses {
        self.responses
    }

    /// The file of a command, for messages: as it is, or as it would be called.
    pub(super) fn place(&self, command: &str) -> Arc<str> {
        match self.responses.get(command) {
            Some(file) => file.shown.clone(),
            None => format!("{}/{}.json", self.shown, encoded(command)).into(),
        }
    }

    /// The gap that a command was not asked.
    pub(super) fn not_asked(&self, command: &str) -> Gap {
        gap(format!("{} was not asked", self.place(command)))
    }

    /// The answer to a command, kept for the next who asks.
    pub(super) fn response(&mut self, command: &str) -> Rc<Response> {
        if let Some(known) = self.read.get(command) {
            return known.clone();
        }
        let response = Rc::new(self.read_once(command));
        self.read.insert(command.to_owned(), response.clone());
        response
    }

    /// The answer to a command that nobody else will ask for.
    pub(super) fn read_once(&mut self, command: &str) -> Response {
        let Some(file) = self.responses.get(command) else {
            return Response::Unknown(self.not_asked(command));
        };
        match self.parse(command, file) {
            Ok(content) => classify(content, &file.shown, &mut self.gaps),
            Err(error) => {
                let why = gap(format!("{} could not be used", file.shown));
                self.damaged.push(error);
                Response::Unknown(why)
            }
        }
    }

    fn parse(&self, command: &str, file: &File) -> Result<Value, SnapshotError> {
        let text = self.reader.read(&file.path)?;
        let unexpected = |found: &str| SnapshotError::Unexpected {
            file: file.path.clone(),
            at: JsonPointer(String::new()),
            problem: format!("expected a response, found {found}"),
        };
        let nothing = prints_nothing(command);
        // A call that failed leaves such a file behind where the shell had made it already.
        if text.trim().is_empty() {
            return match nothing {
                true => Ok(Value::Object(serde_json::Map::new())),
                false => Err(unexpected("an empty file")),
            };
        }
        let content: Value = serde_json::from_str(&text)
            .map_err(|error| SnapshotError::json(&file.path, &text, &error))?;
        let of_domain = command.starts_with(DOMAINS);
        match &content {
            Value::Object(_) if nothing || of_domain || !is_empty(&content) => Ok(content),
            Value::Object(_) => Err(unexpected("an object without members")),
            Value::Array(_) => Err(unexpected("a list")),
            Value::Null => Err(unexpected("null")),
            other => {
                let shown: String = other.to_string().chars().take(40).collect();
                Err(unexpected(&format!("{shown:?}")))
            }
        }
    }

    /// The files that could not be used, and what else was noticed while reading.
    pub(super) fn finish(self) -> (Vec<SnapshotError>, Vec<Gap>) {
        (self.damaged, self.gaps)
    }
}

/// The REST interfaces of OpenSearch domains, which say `{}` where there is nothing.
const DOMAINS: &str = "opensearch/domains/";

/// The operations for which the AWS CLI prints nothing where there is nothing: their responses then
/// have no members.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
/// and <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionList.html> (whose
/// `Items` need not be there).
const PRINT_NOTHING: [&str; 3] =
    ["cloudfront/list-distributions", "sqs/get-queue-attributes", "sqs/list-queues"];

/// Whether no output is an answer to a command.
fn prints_nothing(command: &str) -> bool {
    PRINT_NOTHING.iter().any(|operation| {
        let rest = command.strip_prefix(operation);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether a response has no members of its own.
pub(super) fn is_empty(content: &Value) -> bool {
    content.as_object().is_some_and(|object| object.keys().all(|key| key == "ResponseMetadata"))
}

/// Tells content from the errors that AWS, or a domain's REST interface, returned instead.
fn classify(content: Value, place: &str, gaps: &mut Vec<Gap>) -> Response {
    if let Some(error) = content.get("Error")
        && content.as_object().is_some_and(|object| object.len() == 1)
    {
        let code = error.get("Code").and_then(Value::as_str).unwrap_or_default();
        if is_absence(code) {
            return Response::Absent;
        }
        let why = gap(format!("{place}: AWS answered {code:?}"));
        gaps.push(why.clone());
        return Response::Unknown(why);
    }
    // OpenSearch: {"status": "FORBIDDEN", "message": ...}, {"error": {...}, "status": 403}. What
    // is a role or a user there is an object, never a number or a text.
    let status = match content.get("status") {
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(status) = status
        && (content.get("error").is_some() || content.get("message").is_some())
        && place.contains("/opensearch/domains/")
    {
        if status == "404" || status == "NOT_FOUND" {
            return Response::Absent;
        }
        let why = gap(format!("{place}: the domain answered {status:?}"));
        gaps.push(why.clone());
        return Response::Unknown(why);
    }
    Response::Content(content)
}

/// The members by which responses say that there is more to ask for.
const MORE: [&str; 10] = [
    "ContinuationToken",
    "LastEvaluatedTableName",
    "Marker",
    "NextMarker",
    "NextToken",
    "marker",
    "nextMarker",
    "nextPageToken",
    "nextToken",
    "position",
];

/// Whether a response says that there is more to ask for.
///
/// <https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-pagination.html>
pub(super) fn is_one_page(content: &Value) -> bool {
    let says = |member: &str| content.get(member).is_some_and(|said| !says_no(said));
    says("IsTruncated") || MORE.iter().any(|token| says(token))
}

/// Whether there is no token, or no truth, in a value. What is of another type is not read as no.
fn says_no(said: &Value) -> bool {
    match said {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text == "false",
        _ => false,
    }
}

/// The gap of a response that is one page of several.
pub(super) fn one_page(place: &str) -> Gap {
    gap(format!("{place}: one page of several, the others are missing"))
}

/// Whether an error code says that the thing asked for does not exist.
///
/// Those that say it in words of their own:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>,
/// <https://docs.aws.amazon.com/datapipeline/latest/APIReference/API_GetPipelineDefinition.html> and
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html>.
pub(super) fn is_absence(code: &str) -> bool {
    code.starts_with("NoSuch")
        || ["NotFound", "DoesNotExist", "NonExistent"].iter().any(|word| code.contains(word))
        || matches!(code, "AWSOrganizationsNotInUseException" | "PipelineDeletedException")
}

/// A command as a path: the argument percent-encoded where the contract says so. The service and
/// operation have no such characters; a REST path keeps its slashes.
fn encoded(command: &str) -> String {
    let mut parts = command.splitn(3, '/');
    let mut out = String::new();
    for part in parts.by_ref().take(2) {
        if !out.is_empty() {
            out.push('/');
        }
        out.push_str(part);
    }
    if let Some(argument) = parts.next() {
        out.push('/');
        let slashes = command.starts_with(DOMAINS);
        for byte in argument.bytes() {
            if byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'_' | b'-')
                || (slashes && byte == b'/')
            {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, place: &str, expected: &str) {
        let mut gaps = Vec::new();
        let found = match classify(serde_json::from_str(content).unwrap(), place, &mut gaps) {
            Response::Content(_) => "content".to_owned(),
            Response::Absent => "absent".to_owned(),
            Response::Unknown(why) => {
                assert_eq!(gaps, std::slice::from_ref(&why));
                why.to_string()
            }
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn an_error_is_absence_or_unknown_by_its_code() {
        check(r#"{"Error": {"Code": "NoSuchBucketPolicy"}}"#, "f", "absent");
        check(r#"{"Error": {"Code": "ResourceNotFoundException"}}"#, "f", "absent");
        check(r#"{"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue"}}"#, "f", "absent");
        check(r#"{"Error": {"Code": "AWSOrganizationsNotInUseException"}}"#, "f", "absent");
        check(r#"{"Error": {"Code": "AccessDenied"}}"#, "f", "f: AWS answered \"AccessDenied\"");
        check(r#"{"Error": {"Code": "\u001b[0m"}}"#, "f", "f: AWS answered \"\\u{1b}[0m\"");
        check(r#"{"Error": 7}"#, "f", "f: AWS answered \"\"");
        check(r#"{"Buckets": []}"#, "f", "content");
    }

    #[test]
    fn a_domain_answers_in_its_own_way() {
        let place = "r/opensearch/domains/d/x.json";
        let forbidden = r#"{"status": "FORBIDDEN", "message": "no"}"#;
        check(forbidden, place, &format!("{place}: the domain answered \"FORBIDDEN\""));
        check(r#"{"status": 404, "error": {}}"#, place, "absent");
        check(r#"{"status": {"users": []}}"#, place, "content");
    }

    #[test]
    fn an_argument_is_encoded_as_the_contract_says() {
        assert_eq!(encoded("s3api/get-bucket-policy/a b/c"), "s3api/get-bucket-policy/a%20b%2Fc");
        assert_eq!(encoded("opensearch/domains/d/_x/y"), "opensearch/domains/d/_x/y");
        assert_eq!(encoded("lambda/list-functions"), "lambda/list-functions");
    }
}
