//! Whether an address is known must not show in the time of an answer (A03). Time itself is no test; the work is: on both
//! paths the same SQL statements in the same order, and as many password hashes, which cost the same each.

use serde_json::json;

use crate::work::{self, HASH};
use crate::world::World;

#[tokio::test]
async fn a003_known_and_unknown_addresses_cause_the_same_work() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let password = "a wrong but plausible one 5";
    let body = |path: &str, email: &str, name: &str| match path {
        "/v1/sessions" => json!({ "email": email, "password": password }),
        "/v1/registrations" => json!({ "email": email, "user_name": name, "password": password }),
        _ => json!({ "email": email }),
    };
    for (path, status, hashes) in [
        ("/v1/sessions", 401, 1),
        ("/v1/registrations", 202, 1),
        ("/v1/password-resets", 202, 0),
    ] {
        let mut seen = Vec::new();
        for (email, name) in [(anna.email.as_str(), "known"), ("nobody@example.org", "unknown")] {
            let (answer, work) = work::of(world.post(path, body(path, email, name))).await;
            answer.expect(status);
            seen.push(work);
        }
        let (known, unknown) = (&seen[0], &seen[1]);
        assert_eq!(known, unknown, "{path}");
        let statements = known.iter().filter(|done| *done != HASH).count();
        assert!(statements >= 3, "{path}: only {known:?} was seen");
        assert_eq!(known.len() - statements, hashes, "{path}: {known:?}");
    }
}
