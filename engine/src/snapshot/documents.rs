//! Policy documents of one account: each text once, whatever way it was written down.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::HashMap;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::files::gap;
use super::world::DocumentId;
use crate::residual::Gap;

/// A document that is still text.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// JSON, or why there is none.
    pub(super) json: Result<Arc<str>, Gap>,
    /// The file and pointer where it was first seen.
    pub(super) place: Arc<str>,
    /// Whether it has a statement that denies.
    pub(super) denies: bool,
    /// Whether the result says that there is none, whatever rests on it.
    pub(super) reported: bool,
}

impl Text {
    fn unknown(why: Gap, reported: bool) -> Self {
        Self { place: why.0.clone(), json: Err(why), denies: false, reported }
    }
}

/// Documents by content. Ids are positions in [`Documents::into_texts`].
#[derive(Debug, Default)]
pub(super) struct Documents {
    // Keys are the texts as they stand in the snapshot, and as they are once decoded: JSON that is
    // an object, a JSON string with its quotes, or a gap.
    by_text: HashMap<Arc<str>, DocumentId>,
    texts: Vec<Text>,
}

impl Documents {
    /// Interns a document given as the JSON value that holds it: an object, or a string with the
    /// document as JSON, URL-encoded or not. `place` names file and pointer for messages.
    pub(super) fn intern(&mut self, raw: &str, place: impl Fn() -> String) -> DocumentId {
        if let Some(&id) = self.by_text.get(raw) {
            return id;
        }
        let id = if raw.starts_with('"') {
            let decoded = serde_json::from_str::<Cow<'_, str>>(raw)
                .map_err(|error| error.to_string())
                .and_then(|text| decode(&text).map(Cow::into_owned));
            match decoded {
                Ok(text) => self.intern_json(&text, &place),
                Err(problem) => self.missing(gap(format!("{}: {problem}", place()))),
            }
        } else {
            return self.intern_json(raw, &place);
        };
        self.by_text.insert(raw.into(), id);
        id
    }

    /// Interns a document given as text: JSON, URL-encoded or not.
    pub(super) fn intern_text(&mut self, text: &str, place: impl Fn() -> String) -> DocumentId {
        match decode(text) {
            Ok(text) => self.intern_json(&text, &place),
            Err(problem) => self.missing(gap(format!("{}: {problem}", place()))),
        }
    }

    /// The document that is not known, for this reason.
    pub(super) fn missing(&mut self, why: Gap) -> DocumentId {
        if let Some(&id) = self.by_text.get(&why.0) {
            return id;
        }
        self.push(why.0.clone(), Text::unknown(why, true))
    }

    /// As [`Self::missing`], for what is only worth a word where something rests on it.
    pub(super) fn placeholder(&mut self, why: Gap) -> DocumentId {
        self.push(why.0.clone(), Text::unknown(why, false))
    }

    /// Whether the document has a statement that denies.
    pub(super) fn denies(&self, id: DocumentId) -> bool {
        self.texts.get(id.0 as usize).is_some_and(|text| text.denies)
    }

    /// The documents, by id.
    pub(super) fn into_texts(self) -> Vec<Text> {
        self.texts
    }

    /// Takes in the documents of an account; gives the new ids by the old ones.
    pub(super) fn absorb(&mut self, texts: Vec<Text>) -> Vec<DocumentId> {
        texts
            .into_iter()
            .map(|text| {
                let key = match &text.json {
                    Ok(json) => json.clone(),
                    Err(why) => why.0.clone(),
                };
                match self.by_text.get(&key) {
                    Some(&id) => id,
                    None => self.push(key, text),
                }
            })
            .collect()
    }

    fn intern_json(&mut self, json: &str, place: &impl Fn() -> String) -> DocumentId {
        if let Some(&id) = self.by_text.get(json) {
            return id;
        }
        let shared: Arc<str> = json.into();
        let text = Text {
            json: Ok(shared.clone()),
            place: place().into(),
            denies: denies(json),
            reported: true,
        };
        self.push(shared, text)
    }

    fn push(&mut self, key: Arc<str>, text: Text) -> DocumentId {
        let id = DocumentId(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(text);
        self.by_text.insert(key, id);
        id
    }
}

/// The JSON in a text that may be URL-encoded, as IAM's API gives documents.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("expected a policy document, found an empty text".to_owned());
    }
    if trimmed.starts_with('{') {
        return Ok(Cow::Borrowed(trimmed));
    }
    match percent_decode_str(trimmed).decode_utf8() {
        Ok(decoded) => Ok(decoded),
        Err(_) => Err("expected a URL-encoded policy document, found no UTF-8".to_owned()),
    }
}

/// Whether a document has a statement that denies. `false` for what is no policy document: it is
/// reported when it is compiled.
fn denies(json: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Statements<'a> {
        #[serde(borrow)]
        Many(Vec<Statement<'a>>),
        #[serde(borrow)]
        One(Statement<'a>),
    }
    #[derive(Deserialize)]
    struct Statement<'a> {
        #[serde(borrow, default, rename = "Effect")]
        effect: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Shape<'a> {
        #[serde(borrow, rename = "Statement")]
        statement: Statements<'a>,
    }
    // Almost no document denies: look before parsing. An escape could hide the word.
    if !json.contains("Deny") && !json.contains("\\u") {
        return false;
    }
    // The untagged choice buffers what it reads, to the depth that a document has: bound it.
    if serde_json::from_str::<IgnoredAny>(json).is_err() || deepest(json) > 100 {
        return false;
    }
    serde_json::from_str::<Shape<'_>>(json).is_ok_and(|shape| match shape.statement {
        Statements::Many(statements) => statements.iter().any(|one| one.effect == "Deny"),
        Statements::One(statement) => statement.effect == "Deny",
    })
}

/// How deep braces and brackets nest, those inside strings counted as well.
fn deepest(json: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in json.bytes() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW: &str = r#"{"Statement": [{"Effect": "Allow"}]}"#;

    fn check(raws: &[&str], expected: &[u32]) -> Vec<Text> {
        let mut documents = Documents::default();
        let ids: Vec<u32> =
            raws.iter().map(|raw| documents.intern(raw, || "f at /x".to_owned()).0).collect();
        assert_eq!(ids, expected);
        documents.into_texts()
    }

    #[test]
    fn a_document_is_one_however_it_is_written_down() {
        let string = serde_json::to_string(ALLOW).unwrap();
        let encoded =
            percent_encoding::utf8_percent_encode(ALLOW, percent_encoding::NON_ALPHANUMERIC);
        let encoded = format!("\"{encoded}\"");
        check(&[ALLOW, &string, &encoded, &encoded, "{}"], &[0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_document_that_cannot_be_decoded_is_a_gap() {
        let texts = check(&["\"%ff\"", "\"\""], &[0, 1]);
        let why = texts[0].json.clone().unwrap_err().to_string();
        assert_eq!(why, "f at /x: expected a URL-encoded policy document, found no UTF-8");
        assert!(texts[1].json.is_err());
    }

    #[test]
    fn a_deny_is_seen_even_if_escaped() {
        assert!(denies(r#"{"Statement": [{"Effect": "Allow"}, {"Effect": "Deny"}]}"#));
        assert!(denies(r#"{"Statement": {"Effect": "\u0044eny"}}"#));
        assert!(!denies(r#"{"Statement": [{"Effect": "Allow", "Sid": "Deny"}]}"#));
        assert!(!denies("Deny"));
    }

    #[test]
    fn a_deeply_nested_document_is_no_trouble() {
        let deep = format!("{{\"Deny\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(!denies(&deep));
    }

    #[test]
    fn documents_of_accounts_are_put_together() {
        let mut all = Documents::default();
        assert_eq!(all.absorb(check(&[ALLOW, "{}"], &[0, 1])), [DocumentId(0), DocumentId(1)]);
        assert_eq!(all.absorb(check(&["{}"], &[0])), [DocumentId(1)]);
    }
}
