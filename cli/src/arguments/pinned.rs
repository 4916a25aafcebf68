//! Keys with the value that is given for them: `KEY=VALUE`.

/// Reads `KEY=VALUE`; `KEY=` says that the key is absent. A value may hold further `=`.
pub(super) fn pinned(text: &str) -> Result<(String, Option<String>), &'static str> {
    match text.split_once('=') {
        None => Err("expected KEY=VALUE, or KEY= for a key that is absent"),
        Some(("", _)) => Err("expected a condition key before the ="),
        Some((key, "")) => Ok((key.to_owned(), None)),
        Some((key, value)) => Ok((key.to_owned(), Some(value.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::arguments::{Arguments, Command};

    fn check(line: &str, expected: Result<&[(&str, Option<&str>)], &str>) {
        let words = ["escalade", "reach", "s", "--from", "user/a", "--to", "admin"];
        let found = match Arguments::try_parse_from(words.into_iter().chain(line.split(' '))) {
            Ok(Arguments { command: Command::Reach(reach), .. }) => reach.paths.options("admin"),
            Ok(_) => panic!("not reach"),
            Err(error) => Err(error.to_string()),
        };
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<_> =
                    found.assume.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
                assert_eq!(found, expected);
            }
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("expected {expected:?}, found {found:?}"),
        }
    }

    #[test]
    fn a_pinned_key_has_a_value_or_is_absent() {
        check("--assume aws:SourceIp=203.0.113.7", Ok(&[("aws:SourceIp", Some("203.0.113.7"))]));
        check("--assume aws:SourceVpce=", Ok(&[("aws:SourceVpce", None)]));
        check("--assume aws:PrincipalTag/a=b=c", Ok(&[("aws:PrincipalTag/a", Some("b=c"))]));
    }

    #[test]
    fn a_key_is_pinned_once_without_regard_to_case() {
        check("--assume aws:SourceIp=1.1.1.1 --assume AWS:sourceip=", Err("given twice"));
    }

    #[test]
    fn an_assumption_without_key_or_sign_is_refused() {
        check("--assume aws:SourceIp", Err("expected KEY=VALUE"));
        check("--assume =x", Err("expected a condition key"));
    }
}
