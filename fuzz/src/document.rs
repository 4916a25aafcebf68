//! Policy documents: text to [`Policy`].

use escalade_engine::policy::{Policy, Template};

/// Parses the text. What parses is walked once, and parses to the same again.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(policy) = Policy::parse(text) else { return };
    for statement in policy.statements() {
        let _ = statement.sid();
        let _ = statement.matches_action("s3:getobject");
        let variables = statement.templates().flat_map(Template::variables).count();
        assert!(variables <= text.len());
    }
    assert_eq!(Policy::parse(text).as_ref(), Ok(&policy));
}
