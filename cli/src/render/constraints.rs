//! What a question lets paths do, in words: a verdict holds only for these.

use std::sync::Arc;

use super::visible;
use escalade_engine::analysis::{Environment, Options};

/// The constraints as the end of a sentence, with a blank before each; empty without any.
pub(super) fn constraints(options: &Options) -> String {
    let list = |texts: &[Arc<str>]| {
        texts.iter().map(|text| visible(text)).collect::<Vec<_>>().join(" and ")
    };
    let mut text = String::new();
    let tags: Vec<Arc<str>> =
        options.selection.tags.iter().map(|(key, value)| format!("{key}={value}").into()).collect();
    if !tags.is_empty() {
        text.push_str(&format!(" from tag {}", list(&tags)));
    }
    if !options.selection.accounts.is_empty() {
        let accounts = options.selection.accounts.iter();
        let accounts: Vec<_> = accounts.map(|glob| visible(glob)).collect();
        text.push_str(&format!(" from accounts {}", accounts.join(" or ")));
    }
    if !options.via.is_empty() {
        text.push_str(&format!(" via {}", list(&options.via)));
    }
    if !options.avoid.is_empty() {
        text.push_str(&format!(" without {}", list(&options.avoid)));
    }
    if options.environment == Environment::PerStep {
        text.push_str(" from changing network places");
    }
    if options.no_assumptions {
        text.push_str(" in every environment");
    }
    for (position, (key, value)) in options.assume.iter().enumerate() {
        text.push_str(if position == 0 { " where " } else { " and " });
        match value {
            Some(value) => text.push_str(&format!("{} is {}", visible(key), visible(value))),
            None => text.push_str(&format!("{} is absent", visible(key))),
        }
    }
    text
}

/// The limit on the number of steps, likewise. For a verdict that names no number itself.
pub(super) fn limit(options: &Options) -> String {
    match options.max_steps {
        None => String::new(),
        Some(steps) => format!(" in at most {}", super::counted(steps, "step")),
    }
}

#[cfg(test)]
mod tests {
    use escalade_engine::analysis::Selection;

    use super::*;

    fn check(options: &Options, expected: &str) {
        assert_eq!(format!("{}{}", limit(options), constraints(options)), expected);
    }

    #[test]
    fn a_question_without_constraints_needs_no_words() {
        check(&Options::default(), "");
    }

    #[test]
    fn every_constraint_has_words() {
        let some = |text: &str| Some(text.into());
        check(
            &Options {
                via: vec!["iam:PassRole".into(), "s3:GetObject".into()],
                avoid: vec!["lambda-create-function".into()],
                assume: [("a:B".into(), some("c")), ("a:D".into(), None)].into(),
                no_assumptions: true,
                environment: Environment::PerStep,
                max_steps: Some(1),
                selection: Selection {
                    accounts: vec!["1*".into(), "dev".into()],
                    tags: vec![("team".into(), "red".into())],
                },
                ..Options::default()
            },
            " in at most 1 step from tag team=red from accounts 1* or dev via iam:PassRole and s3:GetObject without lambda-create-function \
             from changing network places in every environment where a:B is c and a:D is absent",
        );
    }
}
