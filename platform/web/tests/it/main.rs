//! A small service of a few routes behind the real listener's layers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod document;
mod input;
mod limits;
mod serving;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use ferrex_ids::{SessionId, UserId};
use ferrex_time::SystemClock;
use ferrex_web::{
    Caller, Config, IdempotencyKey, Json, OpenApiRouter, Path, Problem, Query, Surface, TokenSigner,
    TokenVerifier, generate_key_pem, public_router, routes,
};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower::ServiceExt as _;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateThing {
    /// Its name.
    name: String,
    #[schema(minimum = 0)]
    count: u32,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    limit: Option<u16>,
}

#[utoipa::path(post, path = "/v1/things", params(IdempotencyKey), responses((status = 200, body = CreateThing)))]
async fn create(_key: IdempotencyKey, Json(thing): Json<CreateThing>) -> Result<Json<CreateThing>, Problem> {
    Ok(Json(thing))
}

#[utoipa::path(get, path = "/v1/things", params(Filter), responses((status = 200, body = u16)))]
async fn list(Query(filter): Query<Filter>) -> Json<u16> {
    Json(filter.limit.unwrap_or(0))
}

#[utoipa::path(get, path = "/v1/users/{user}", params(("user" = String, Path)), responses((status = 200, body = String)))]
async fn show(Path(user): Path<UserId>) -> Json<String> {
    Json(user.to_string())
}

#[utoipa::path(get, path = "/v1/me", security(("bearer" = [])), responses((status = 200, body = String)))]
async fn me(caller: Caller) -> Json<String> {
    Json(caller.user.to_string())
}

#[utoipa::path(get, path = "/v1/panic", responses((status = 200, body = String)))]
async fn panic() -> Json<String> {
    panic!("secret inside")
}

#[utoipa::path(get, path = "/v1/slow", responses((status = 200, body = String)))]
async fn slow() -> Json<String> {
    std::future::pending().await
}

const SURFACE: Surface = Surface {
    name: "public",
    title: "Test",
    description: "A test.",
};

fn parts() -> Vec<OpenApiRouter> {
    vec![
        OpenApiRouter::default()
            .routes(routes!(create, list))
            .routes(routes!(show)),
        {
            OpenApiRouter::default()
                .routes(routes!(me))
                .routes(routes!(panic))
                .routes(routes!(slow))
        },
    ]
}

struct App {
    router: Router,
    signer: TokenSigner,
    verifier: TokenVerifier,
}

fn app_with(config: &Config) -> App {
    let clock = SystemClock::shared();
    let signer = TokenSigner::from_pem(&generate_key_pem(), clock.clone()).unwrap();
    let verifier = TokenVerifier::new([signer.public_key()], Arc::clone(&clock));
    let router = public_router(&SURFACE, config, Some(verifier.clone()), parts()).unwrap();
    App {
        router,
        signer,
        verifier,
    }
}

fn app() -> App {
    app_with(&Config::default())
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks that it is a problem of this status and code in every respect, and gives the fields at fault.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(
            (problem["status"].as_u64(), problem["code"].as_str()),
            (Some(status.into()), Some(code)),
            "{text}"
        );
        assert_eq!(
            problem["request_id"].as_str(),
            self.headers["x-request-id"].to_str().ok()
        );
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl App {
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    async fn get(&self, uri: &str) -> Answer {
        self.send(Request::get(uri).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, body: impl Into<Body>) -> Answer {
        let request = Request::post("/v1/things")
            .header("content-type", "application/json")
            .header("idempotency-key", "k1");
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn get_as(&self, token: &str) -> Answer {
        let request = Request::get("/v1/me").header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    fn token(&self) -> (String, UserId, SessionId) {
        let (user, session) = (UserId::new_at(1), SessionId::new_at(2));
        (self.signer.sign(user, session).0, user, session)
    }
}
