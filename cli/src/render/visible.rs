//! Text that is not ours, made harmless.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with every character escaped that does not show as itself: control characters, line
/// breaks, bidirectional overrides, zero-width characters, combining marks.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(shows) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if shows(c) {
            escaped.push(c);
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "{}", c.escape_debug());
        }
    }
    Cow::Owned(escaped)
}

/// Whether a character shows as itself. The standard library knows, and also escapes quotes and
/// backslashes, which do no harm here.
fn shows(c: char) -> bool {
    c.is_ascii_graphic() || c == ' ' || c.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(visible(text), expected);
    }

    #[test]
    fn ordinary_text_stays() {
        check(r#"role/a"b'c\d"#, r#"role/a"b'c\d"#);
        check("Größe 東京", "Größe 東京");
    }

    #[test]
    fn what_moves_the_cursor_or_ends_the_line_is_escaped() {
        check("a\x1b[2Jb\rc\nd\te\0f\x7f", r"a\u{1b}[2Jb\rc\nd\te\0f\u{7f}");
        check("\u{85}\u{9b}\u{2028}", r"\u{85}\u{9b}\u{2028}");
    }

    #[test]
    fn what_reorders_or_hides_is_escaped() {
        check("a\u{202e}b\u{2066}c\u{200f}", r"a\u{202e}b\u{2066}c\u{200f}");
        check("a\u{200b}b\u{feff}c\u{301}", r"a\u{200b}b\u{feff}c\u{301}");
    }
}
