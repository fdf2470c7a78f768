//! The internal HTTP/2 listener, as `ferrex_engine_client::wire` describes it.

mod balances;
mod commands;
mod expired_holds;

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use ferrex_engine_client::{EngineClient, wire};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::shared::Role;

/// How long open requests may take to end when the process is shutting down.
const GRACE: Duration = Duration::from_secs(3);

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) client: EngineClient,
    pub(crate) role: watch::Receiver<Role>,
    pub(crate) token: SecretString,
}

/// Serves until `stop` is cancelled.
pub(crate) async fn serve(listener: TcpListener, access: Access, stop: CancellationToken) {
    let router = Router::new()
        .route(wire::COMMANDS, post(commands::decide))
        .route(wire::BALANCES, post(balances::read))
        .route(wire::EXPIRED_HOLDS, post(expired_holds::read))
        .layer(from_fn_with_state(access.clone(), admit))
        .layer(DefaultBodyLimit::max(wire::BODY_MAX))
        .with_state(access);
    let cancelled = stop.clone();
    let serving =
        axum::serve(listener, router).with_graceful_shutdown(async move { cancelled.cancelled().await });
    let grace = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => if let Err(error) = served {
            tracing::error!(%error, "the engine's listener failed");
        },
        () = grace => {}
    }
}

/// Lets in who shows the token, and sends to the owner who came to a standby.
async fn admit(State(access): State<Access>, request: Request, next: Next) -> Response {
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = shown
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !bool::from(token.as_bytes().ct_eq(access.token.expose_secret().as_bytes())) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let role = access.role.borrow().clone();
    match role {
        Role::Owner => next.run(request).await,
        Role::Standby(owner) => {
            (StatusCode::MISDIRECTED_REQUEST, Json(wire::Misdirected { owner })).into_response()
        }
    }
}
