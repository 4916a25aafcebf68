//! Forms: texts with named holes, `s3://{bucket}/{key}`.

/// Replaces each `{key}` in `form` by what `value` gives for it; what it does not know stays.
pub fn fill<'a>(form: &'a str, value: impl Fn(&'a str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(form.len() + 32);
    let mut rest = form;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((key, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        match value(key) {
            Some(text) => out.push_str(text),
            None => {
                out.push('{');
                out.push_str(key);
                out.push('}');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The names between braces of a form.
pub(crate) fn holes(form: &str) -> impl Iterator<Item = &str> {
    form.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
}

/// What a text has in the holes of a form, each as short as it can be and not empty. `None` if it is
/// not written so.
pub(crate) fn read<'a>(form: &'a str, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let (start, mut form) = form.split_once('{').unwrap_or((form, ""));
    let mut text = text.strip_prefix(start)?;
    let mut out = Vec::new();
    while let Some((name, after)) = form.split_once('}') {
        let (literal, next) = after.split_once('{').unwrap_or((after, ""));
        let end = match literal {
            "" => text.len(),
            _ => {
                let first = text.chars().next()?.len_utf8();
                first + text.get(first..)?.find(literal)?
            }
        };
        let (inside, rest) = text.split_at_checked(end)?;
        if inside.is_empty() {
            return None;
        }
        out.push((name, inside));
        text = rest.strip_prefix(literal)?;
        form = next;
    }
    text.is_empty().then_some(out)
}
