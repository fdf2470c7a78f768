//! HTTP as every service speaks it: strict input, one form of refusal, one set of limits, one document.
//!
//! - Input: [`Json`], [`Query`] and [`Path`] read strictly and name the field at fault; [`IdempotencyKey`] is the header
//!   of that name; [`Caller`] is the person behind an access token; [`ClientAddress`] is where the call came from.
//! - Refusals: a [`Problem`] (RFC 9457) with a stable dotted code. Every error that converts to a
//!   [`ferrex_fault::Fault`] converts to a problem by `?`.
//! - Statuses: 400 the request cannot be read, 401 who asks is not known, 403 may not, 404 no such thing, 405, 409 does
//!   not fit the present state, 413, 415, 422 a field is at fault, 429 too often or a quota is used up, 500 our defect, 503
//!   something we need is away (the call may be repeated).
//! - [`public_router`] puts limits, request ids, traces, metrics, the OpenAPI document and its explorer around a service's
//!   routes; [`operations_router`] is the other port; [`serve`] runs either and drains on shutdown.
//!
//! To add an endpoint: 1. one file under the service's `http/` with the handler, its request and view types and
//! `#[utoipa::path]` (success responses and the refusals of its own; the common ones are added to the document for
//! every operation), 2. one `routes!` line in the service's router.

mod address;
mod config;
mod document;
mod explorer;
mod extract;
mod head_timer;
mod limit;
mod middleware;
mod objects;
mod operations;
mod page;
mod problem;
mod public;
mod serve;
mod strict;
mod token;

pub use address::{ClientAddress, TrustedProxies};
pub use config::{Config, ConfigError, RateConfig};
pub use document::{BEARER, Surface, document};
pub use extract::{Caller, IdempotencyKey, Json, Path, Query, RawBody};
pub use middleware::current_request_id;
pub use operations::operations_router;
pub use page::{Page, PageQuery};
pub use problem::{FieldProblem, Problem, ProblemBody};
pub use public::public_router;
pub use serve::serve;
pub use strict::{StrictError, from_slice};
pub use token::{
    AccessClaims, InvalidKey, PublicKey, TokenError, TokenSigner, TokenVerifier, generate_key_pem,
};
pub use utoipa_axum::router::OpenApiRouter;
pub use utoipa_axum::routes;
