//! Which credentials a user has: access keys, a console password, MFA devices.
//!
//! Asked per user (`iam/list-access-keys/<user>`, `iam/get-login-profile/<user>`,
//! `iam/list-mfa-devices/<user>`), or for all users in the credential report.

use std::collections::HashMap;

use serde_json::Value;

use super::files::gap;
use super::response::{Response, ResponseFiles};
use super::world::Known;
use crate::residual::Gap;

/// What a user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    /// How many access keys, active or not.
    pub(super) access_keys: Known<u8>,
    /// The ids of those that are active.
    pub(super) key_ids: Known<Vec<String>>,
    /// The ids of those that are not.
    pub(super) inactive_key_ids: Vec<String>,
    /// Whether it has a console password.
    pub(super) login_profile: Known<bool>,
    /// Whether it has an MFA device, which every console login then needs.
    pub(super) mfa: Known<bool>,
}

/// The credential report, read once for all users.
///
/// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>.
#[derive(Debug)]
pub(super) struct CredentialReport(Known<HashMap<String, Credentials>>);

impl CredentialReport {
    /// Reads the report. One that is damaged is a gap, said with every user that needs it.
    pub(super) fn read(files: &mut ResponseFiles<'_>) -> Self {
        let place = files.place("iam/get-credential-report");
        Self(match &*files.response("iam/get-credential-report") {
            Response::Content(content) => match content.get("Content") {
                Some(Value::String(encoded)) => decode_base64(encoded)
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .map(|csv| users(&csv))
                    .ok_or_else(|| gap(format!("{place} at /Content: expected base64 text"))),
                _ => Err(gap(format!("{place} at /Content: expected base64 text"))),
            },
            Response::Absent => Err(gap(format!("{place}: there was no report"))),
            Response::Unknown(why) => Err(why.clone()),
        })
    }

    fn of(&self, user: &str, file: &str) -> Known<&Credentials> {
        let unknown = || gap(format!("{file} was not asked, and there is no credential report"));
        match &self.0 {
            Ok(users) => users.get(user).ok_or_else(|| {
                gap(format!("{file} was not asked, and the credential report has no such user"))
            }),
            Err(why) if why.0.ends_with("was not asked") => Err(unknown()),
            Err(why) => Err(gap(format!("{file} was not asked; {why}"))),
        }
    }
}

/// The credentials of the user of this name.
pub(super) fn credentials(
    user: &str,
    report: &CredentialReport,
    files: &mut ResponseFiles<'_>,
) -> Credentials {
    let command = format!("iam/list-access-keys/{user}");
    let mut key_ids = Ok(Vec::new());
    let mut inactive_key_ids = Vec::new();
    let access_keys = if files.is_there(&command) {
        let place = files.place(&command);
        match files.read_once(&command) {
            Response::Content(content) => {
                match content.get("AccessKeyMetadata").and_then(Value::as_array) {
                    Some(keys) => {
                        // One without id or state may be any key, and usable.
                        key_ids = match keys.iter().position(|key| !is_key(key)) {
                            None => Ok(ids(keys, true)),
                            Some(at) => Err(gap(format!(
                                "{place} at /AccessKeyMetadata/{at}: expected an AccessKeyId and a Status"
                            ))),
                        };
                        inactive_key_ids = ids(keys, false);
                        Ok(u8::try_from(keys.len()).unwrap_or(u8::MAX))
                    }
                    None => Err(gap(format!("{place} at /AccessKeyMetadata: expected a list"))),
                }
            }
            Response::Absent => Ok(0),
            Response::Unknown(why) => Err(why),
        }
        .inspect_err(|why: &Gap| key_ids = Err(why.clone()))
    } else {
        let place = files.place(&command);
        let said = report.of(user, &place).and_then(|of| of.access_keys.clone());
        key_ids = match &said {
            Ok(0) => Ok(Vec::new()),
            // The report counts keys, but does not name them.
            Ok(_) => Err(gap(format!("{place} was not asked"))),
            Err(why) => Err(why.clone()),
        };
        said
    };
    let command = format!("iam/get-login-profile/{user}");
    let login_profile = if files.is_there(&command) {
        let place = files.place(&command);
        match files.read_once(&command) {
            Response::Content(content)
                if content.get("LoginProfile").is_some_and(Value::is_object) =>
            {
                Ok(true)
            }
            Response::Content(_) => {
                Err(gap(format!("{place} at /LoginProfile: expected an object")))
            }
            Response::Absent => Ok(false),
            Response::Unknown(why) => Err(why),
        }
    } else {
        report.of(user, &files.place(&command)).and_then(|of| of.login_profile.clone())
    };
    let command = format!("iam/list-mfa-devices/{user}");
    let mfa = if files.is_there(&command) {
        let place = files.place(&command);
        match files.read_once(&command) {
            Response::Content(content) => {
                match content.get("MFADevices").and_then(Value::as_array) {
                    Some(devices) => Ok(!devices.is_empty()),
                    None => Err(gap(format!("{place} at /MFADevices: expected a list"))),
                }
            }
            Response::Absent => Ok(false),
            Response::Unknown(why) => Err(why),
        }
    } else {
        report.of(user, &files.place(&command)).and_then(|of| of.mfa.clone())
    };
    Credentials { access_keys, key_ids, inactive_key_ids, login_profile, mfa }
}

/// Whether an entry says which key it is and whether it can be used.
fn is_key(key: &Value) -> bool {
    ["AccessKeyId", "Status"].iter().all(|member| key.get(member).is_some_and(Value::is_string))
}

/// The ids of the access keys that are active, or of those that are not.
fn ids(keys: &[Value], active: bool) -> Vec<String> {
    let inactive = |key: &Value| key.get("Status").and_then(Value::as_str) == Some("Inactive");
    keys.iter()
        .filter(|key| inactive(key) != active)
        .filter_map(|key| key.get("AccessKeyId").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

/// The users of a report: how many access keys each has, and whether it has a password.
fn users(csv: &str) -> HashMap<String, Credentials> {
    let mut lines = csv.lines();
    let header = fields(lines.next().unwrap_or_default());
    let column = |name: &str| header.iter().position(|field| field == name);
    let user = column("user");
    let password = column("password_enabled");
    let device = column("mfa_active");
    let keys = [
        (column("access_key_1_active"), column("access_key_1_last_rotated")),
        (column("access_key_2_active"), column("access_key_2_last_rotated")),
    ];
    let mut out = HashMap::new();
    for line in lines {
        let row = fields(line);
        let cell = |column: Option<usize>| {
            if row.len() == header.len() { column.and_then(|at| row.get(at)) } else { None }
        };
        let Some(name) = user.and_then(|at| row.get(at)) else { continue };
        let unknown = |what: &str| gap(format!("the credential report does not say {what}"));
        let mut access_keys = Ok(0_u8);
        for (active, rotated) in keys {
            // A key that is not active exists all the same: then the date is there.
            match (cell(active), cell(rotated)) {
                (Some(active), Some(rotated)) => {
                    if active.eq_ignore_ascii_case("true") || rotated != "N/A" {
                        access_keys = access_keys.map(|count| count + 1);
                    }
                }
                _ => access_keys = Err(unknown("which access keys the user has")),
            }
        }
        let login_profile = match cell(password).map(|text| text.to_ascii_lowercase()).as_deref() {
            Some("true") => Ok(true),
            Some("false" | "not_supported" | "n/a") => Ok(false),
            _ => Err(unknown("whether the user has a password")),
        };
        let mfa = match cell(device).map(|text| text.to_ascii_lowercase()).as_deref() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(unknown("whether the user has an MFA device")),
        };
        out.insert(
            name.clone(),
            Credentials {
                access_keys,
                key_ids: Ok(Vec::new()),
                inactive_key_ids: Vec::new(),
                login_profile,
                mfa,
            },
        );
    }
    out
}

/// The fields of a line of comma-separated values, with quotes taken off.
fn fields(line: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = chars.next() {
        let Some(field) = out.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            c => field.push(c),
        }
    }
    out
}

/// The bytes of base64 text, padding and line breaks allowed.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits = 0_u32;
    let mut count = 0;
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' | b'\n' | b'\r' => continue,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(out)
}

/// A gap as an attribute's value: the count as text.
pub(super) fn as_count(known: &Known<u8>) -> Result<String, Gap> {
    known.as_ref().map(u8::to_string).map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "user,password_enabled,access_key_1_active,access_key_1_last_rotated,\
                          access_key_2_active,access_key_2_last_rotated";

    fn check(row: &str, user: &str, expected: (Option<u8>, Option<bool>)) {
        let users = users(&format!("{HEADER}\n{row}"));
        let found = users.get(user).unwrap().clone();
        assert_eq!((found.access_keys.ok(), found.login_profile.ok()), expected);
    }

    #[test]
    fn a_key_that_is_not_active_exists_if_it_has_a_date() {
        check("u,false,true,2026-01-01,false,N/A", "u", (Some(1), Some(false)));
        check("u,true,true,2026-01-01,false,2025-01-01", "u", (Some(2), Some(true)));
        check("u,FALSE,FALSE,N/A,false,N/A\r", "u", (Some(0), Some(false)));
    }

    #[test]
    fn a_name_with_a_comma_is_quoted() {
        check("\"a,b\",true,true,x,false,N/A", "a,b", (Some(1), Some(true)));
    }

    #[test]
    fn a_row_that_is_too_short_says_nothing() {
        check("u,true", "u", (None, None));
    }

    #[test]
    fn base64_is_decoded() {
        assert_eq!(decode_base64("dXNlcg==\n").unwrap(), b"user");
        assert_eq!(decode_base64("dXNlcixh").unwrap(), b"user,a");
        assert!(decode_base64("d*").is_none());
    }
}
