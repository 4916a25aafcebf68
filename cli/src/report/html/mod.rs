//! One HTML page with everything in it: summary, search, every path with the policies that allow
//! it. It loads nothing, and a content security policy lets nothing but its own script run.

mod data;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter};
use sha2::{Digest, Sha256};

use super::Report;
use data::Data;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page.
pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let headline = escape(&report.headline());
    // Filled in one pass, so that nothing that is filled in is looked at again: every second part
    // is the name of what stands there.
    for (at, part) in PAGE.split("@@").enumerate() {
        match part {
            text if at % 2 == 0 => out.write_all(text.as_bytes())?,
            "style" => out.write_all(STYLE.as_bytes())?,
            "script" => out.write_all(SCRIPT.as_bytes())?,
            "style-hash" => out.write_all(hash(STYLE).as_bytes())?,
            "script-hash" => out.write_all(hash(SCRIPT).as_bytes())?,
            "version" => out.write_all(env!("CARGO_PKG_VERSION").as_bytes())?,
            "title" | "headline" => out.write_all(headline.as_bytes())?,
            "data" => {
                let mut serializer = Serializer::with_formatter(&mut *out, Embedded);
                Data::of(report).serialize(&mut serializer)?;
            }
            other => return Err(io::Error::other(format!("the page has no {other}"))),
        }
    }
    Ok(())
}

/// The name of an inline script or style in a content security policy
/// (<https://www.w3.org/TR/CSP3/#grammardef-hash-source>).
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// Text for an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// JSON that can stand in a `script` element: nothing in it ends the element or starts a comment,
/// and no character in it ends a line for some readers but not for others.
struct Embedded;

impl Formatter for Embedded {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let special = |c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        let mut rest = fragment;
        while let Some(at) = rest.find(special) {
            let (plain, from) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, plain)?;
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
            rest = chars.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_json_cannot_leave_its_element() {
        let hostile = "</script><!--&\u{2028}\u{2029}\"\\\n";
        let mut bytes = Vec::new();
        hostile.serialize(&mut Serializer::with_formatter(&mut bytes, Embedded)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, r#""\u003c/script\u003e\u003c!--\u0026\u2028\u2029\"\\\n""#);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }

    #[test]
    fn style_and_script_cannot_leave_their_elements() {
        for text in [STYLE, SCRIPT] {
            assert!(!text.contains("</") && !text.contains("<!--"));
        }
    }

    #[test]
    fn the_page_names_what_stands_in_it() {
        assert_eq!(PAGE.matches("@@").count() % 2, 0);
    }
}
