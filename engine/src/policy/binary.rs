//! Base64 as `BinaryEquals` compares it: by the bytes it stands for.

/// The same bytes in the one canonical spelling: standard alphabet, padded, unused bits zero.
/// `None` if the text is not base64.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut out = digits.as_bytes().iter().try_fold(String::new(), |mut out, &byte| {
        out.push(match byte {
            b'-' => '+',
            b'_' => '/',
            b'+' | b'/' => char::from(byte),
            byte if byte.is_ascii_alphanumeric() => char::from(byte),
            _ => return None,
        });
        Some(out)
    })?;
    let unused_bits = match out.len() % 4 {
        2 => 4,
        3 => 2,
        _ => return Some(out),
    };
    let last = out.pop().and_then(value_of)?;
    out.push(digit_of(last >> unused_bits << unused_bits)?);
    while out.len() % 4 != 0 {
        out.push('=');
    }
    Some(out)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn value_of(digit: char) -> Option<usize> {
    ALPHABET.iter().position(|&byte| char::from(byte) == digit)
}

fn digit_of(value: usize) -> Option<char> {
    ALPHABET.get(value).map(|&byte| char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_the_same_bytes_are_one() {
        for (text, expected) in [
            ("QmluYXJ5", Some("QmluYXJ5")),
            ("QQ==", Some("QQ==")),
            ("QQ", Some("QQ==")),
            ("QR==", Some("QQ==")),
            ("-_8", Some("+/8=")),
            ("", Some("")),
            ("Q", None),
            ("Q%==", None),
            ("QQ===", None),
        ] {
            assert_eq!(canonical(text).as_deref(), expected, "{text}");
        }
    }
}
