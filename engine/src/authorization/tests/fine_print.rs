//! Fine print of AWS's documentation as a table of self-contained requests, one a line in
//! `fine_print.jsonl`, each with the reason for its verdict.
//!
//! From <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html> and
//! <https://docs.aws.amazon.com/kms/latest/developerguide/resource-control-policies.html>.

use serde_json::Value;

use crate::authorization::cases::decide_case;

#[test]
fn every_line_of_the_fine_print_is_decided_as_it_says() {
    let mut wrong = Vec::new();
    let lines = include_str!("fine_print.jsonl").lines();
    for line in lines.clone() {
        let case: Value = serde_json::from_str(line).unwrap();
        let answer = decide_case(line);
        let found = answer.verdict.map_or_else(|error| error, |verdict| verdict.name().to_owned());
        if case["expect"] != found.as_str() {
            wrong.push(format!("{found}, not {}: {}\n{line}", case["expect"], case["reason"]));
        }
    }
    assert!(lines.count() > 80);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
