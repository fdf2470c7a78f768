use axum::extract::State;
use ferrex_ids::SessionId;
use ferrex_time::Timestamp;
use ferrex_web::{Json, Page, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::person::Person;
use crate::{Core, sessions};

/// A session of the person.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionView {
    /// Names it.
    #[schema(value_type = String, example = "ses_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    id: SessionId,
    /// Whether it is the one that asks.
    current: bool,
    /// What the client seems to be.
    #[schema(example = "Firefox on Windows")]
    device: String,
    /// What the client calls itself.
    user_agent: String,
    /// Where it logged in from.
    #[schema(example = "203.0.113.7")]
    address: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was used last, to about a minute.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// When it ends in any case.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Lists the person's sessions
///
/// All that are good now, the one used last first, on one page.
#[utoipa::path(
    get, path = "/v1/sessions", operation_id = "list_sessions", tag = "sessions", security(("bearer" = [])),
    responses((status = 200, description = "The sessions.", body = Page<SessionView>))
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
) -> Result<Json<Page<SessionView>>, Problem> {
    let sessions = sessions::list(&core, person.user).await?;
    let items = sessions.into_iter().map(|session| SessionView {
        id: session.id(),
        current: session.id() == person.session,
        device: sessions::describe(&session.user_agent),
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
        user_agent: session.user_agent,
        address: session.address,
    });
    Ok(Json(Page {
        items: items.collect(),
        next_cursor: None,
    }))
}
