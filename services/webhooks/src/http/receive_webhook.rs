use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use ferrex_web::{Path, Problem, RawBody};

use crate::Service;
use crate::inbound::model::{Headers, KEPT_HEADERS};

/// Takes an event of an outside system.
///
/// The signature follows Standard Webhooks (`v1`, HMAC-SHA256 over `id.timestamp.body`). The answer 204 means that the event
/// is stored for good, or that it was before. Any other answer means: send it again, with the same `webhook-id`.
#[utoipa::path(
    post,
    path = "/webhooks/{source}",
    tag = "webhooks",
    params(
        ("source" = String, Path, description = "Who sends, such as `identity`"),
        ("webhook-id" = String, Header, description = "The sender's id of the event, the same at every attempt"),
        ("webhook-timestamp" = String, Header, description = "Unix seconds of the attempt"),
        ("webhook-signature" = String, Header, description = "`v1,` and base64; several are separated by spaces"),
    ),
    request_body(content = String, content_type = "application/json", description = "Up to the sender"),
    responses(
        (status = 204, description = "Stored"),
        (status = 401, description = "The signature does not hold", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such source", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn receive_webhook(
    State(service): State<Service>,
    Path(source): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    service.receive(&source, kept(&headers), body.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The headers that matter. One that is there twice or is no ASCII is left out, and then the signature does not hold.
fn kept(headers: &HeaderMap) -> Headers {
    let once = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    };
    KEPT_HEADERS.into_iter().filter_map(once).collect()
}
