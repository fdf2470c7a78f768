use ferrex_bus::RequestError;
use ferrex_contracts::Request;
use ferrex_fault::{Fault, Kind};
use serde_json::{Value, json};

use super::{NewEntry, Outcome, append};
use crate::Admin;
use crate::sessions::Actor;

/// An action of staff that another service performs.
#[derive(Clone, Debug)]
pub struct Act {
    /// What, such as `verification.approve`.
    pub action: &'static str,
    /// To what, by its id.
    pub subject: String,
    /// Why.
    pub reason: Option<String>,
    /// The subject before.
    pub before: Option<Value>,
}

/// Writes the attempt, sends the request, writes the outcome, and answers.
///
/// Nothing is asked for that could not be written down first. From there on it runs to its end even when the caller goes
/// away, so that the outcome is written too.
pub async fn act<R>(
    admin: &Admin,
    actor: &Actor,
    act: Act,
    key: String,
    request: R,
    after: fn(&R::Reply) -> Value,
) -> Result<R::Reply, Fault>
where
    R: Request,
{
    let entry = NewEntry {
        actor: Some(actor.staff),
        actor_name: actor.name.clone(),
        action: act.action.to_owned(),
        subject: act.subject,
        reason: act.reason,
        request_id: ferrex_web::current_request_id(),
        outcome: Outcome::Attempted,
        attempt: None,
        before: act.before.map(|before| before.to_string()),
        after: None,
    };
    let admin = admin.clone();
    let work = tokio::spawn(async move {
        let attempt = append(&admin, entry.clone()).await?;
        let answer = admin.request(key, &request).await;
        let (outcome, after) = match &answer {
            Ok(reply) => (Outcome::Done, after(reply)),
            Err(RequestError::Fault(fault)) if !fault.kind.is_transient() => {
                (Outcome::Refused, json!({ "code": fault.code }))
            }
            Err(error) => (Outcome::Unknown, json!({ "error": error.to_string() })),
        };
        let told = NewEntry {
            outcome,
            attempt: Some(attempt),
            before: None,
            after: Some(after.to_string()),
            ..entry
        };
        if let Err(fault) = append(&admin, told).await {
            // The action is done or not, and the attempt stands without an outcome; the caller gets the true answer.
            tracing::error!(%attempt, ?outcome, cause = fault.chain(), "writing the outcome of a staff action failed");
        }
        Ok(answer?)
    });
    work.await.map_err(|error| {
        Fault::new(Kind::Internal, "admin.internal", "performing a staff action").with_source(error)
    })?
}
