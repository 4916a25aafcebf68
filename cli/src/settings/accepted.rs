//! Findings that were reviewed and are accepted.

use std::path::Path;
use std::sync::Arc;

use escalade_engine::gate::Acceptance;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    accepted: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "id")]
    id: Arc<str>,
    #[serde(deserialize_with = "filled")]
    reason: Arc<str>,
    #[serde(deserialize_with = "filled")]
    owner: Arc<str>,
    #[serde(deserialize_with = "date")]
    expires: Date,
    #[serde(default)]
    from: Vec<Arc<str>>,
}

/// Reads the accepted findings of a file.
pub(crate) fn accepted(file: &Path) -> Result<Vec<Acceptance>, String> {
    let read: File = super::read(file)?;
    Ok(read
        .accepted
        .into_iter()
        .map(|Entry { id, reason, owner, expires, from }| Acceptance {
            id,
            reason,
            owner,
            expires,
            from,
        })
        .collect())
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    let text = Arc::<str>::deserialize(deserializer)?;
    let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if text.len() == 16 && text.chars().all(digits) {
        return Ok(text);
    }
    Err(de::Error::custom(format!("expected an id of 16 hexadecimal digits, found {text:?}")))
}

/// A text that says something.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    let text = Arc::<str>::deserialize(deserializer)?;
    if text.trim().is_empty() {
        return Err(de::Error::custom("expected a text, found none"));
    }
    Ok(text)
}

/// A date, as TOML has it or as text.
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Date(toml::value::Datetime),
    }
    let text = match Written::deserialize(deserializer) {
        Ok(Written::Text(text)) => text,
        Ok(Written::Date(date)) => date.to_string(),
        Err(_) => String::new(),
    };
    let wrong = || de::Error::custom(format!("expected a date such as 2027-01-31, found {text:?}"));
    // Nothing but the day: a time would need a place on Earth.
    if text.len() != "2027-01-31".len() {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}
