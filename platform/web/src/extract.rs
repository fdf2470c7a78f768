//! What a handler takes: strict readers of body, query and path, the idempotency key, the caller.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{self, HeaderMap};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ferrex_ids::{SessionId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::middleware::Call;
use crate::{Problem, StrictError, TokenError, strict};

/// A JSON body, read strictly; as an answer, a JSON body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "the body must be JSON, sent with `Content-Type: application/json`";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "web.body.media_type",
                detail,
            ));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| body_problem(&rejection))?;
        strict::from_slice(&bytes).map(Self).map_err(|error| match error {
            StrictError::Malformed(_) => {
                Problem::new(StatusCode::BAD_REQUEST, "web.body.malformed", error.to_string())
            }
            StrictError::Field { field, message } => {
                let mut problem = Problem::field("web.body.field", field, message);
                "a field of the body is at fault; `errors` names it".clone_into(&mut problem.detail);
                problem
            }
        })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => (
                [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
                body,
            )
                .into_response(),
            Err(error) => {
                let fault = ferrex_fault::Fault::new(
                    ferrex_fault::Kind::Internal,
                    "web.answer.unwritable",
                    "writing an answer as JSON",
                );
                Problem::from(fault.with_source(error)).into_response()
            }
        }
    }
}

/// `application/json` or `application/…+json`, with UTF-8 or no charset.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    let utf8 = parts.all(|parameter| match parameter.strip_prefix("charset=") {
        Some(charset) => charset.trim_matches('"') == "utf-8",
        None => true,
    });
    (subtype == "json" || subtype.ends_with("+json")) && utf8
}

/// A body as it came in, for signatures over the very bytes.
#[derive(Clone, Debug, Default)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state)
            .await
            .map(Self)
            .map_err(|rejection| body_problem(&rejection))
    }
}

/// Refusal of a body that could not be read to its end.
fn body_problem(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "web.body.too_large",
            "the body is too large",
        )
    } else {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "web.body.unreadable",
            "the body broke off",
        )
    }
}

/// The query string, read strictly: the type must refuse unknown fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(reader)
            .map(Self)
            .map_err(|error| {
                let path = error.path().to_string();
                let message = error.into_inner().to_string();
                let named = message
                    .split_once('`')
                    .and_then(|(_, rest)| rest.split('`').next());
                let field = if path == "." {
                    named.unwrap_or_default().to_owned()
                } else {
                    path
                };
                let mut problem = Problem::field("web.query.field", field, message);
                "a field of the query is at fault; `errors` names it".clone_into(&mut problem.detail);
                problem
            })
    }
}

/// The parameters of the path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        use axum::extract::path::ErrorKind;
        let rejection = match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => return Ok(Self(value)),
            Err(rejection) => rejection,
        };
        let malformed = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, "web.path.malformed", detail);
        let PathRejection::FailedToDeserializePathParams(failed) = rejection else {
            return Err(malformed("the path cannot be read"));
        };
        let (place, message) = match failed.into_kind() {
            ErrorKind::ParseErrorAtKey {
                key, expected_type, ..
            } => (Place::Key(key), expected(expected_type)),
            ErrorKind::DeserializeError { key, message, .. } => (Place::Key(key), message),
            ErrorKind::ParseErrorAtIndex {
                index, expected_type, ..
            } => (Place::Index(index), expected(expected_type)),
            ErrorKind::ParseError { expected_type, .. } => (Place::Index(0), expected(expected_type)),
            ErrorKind::Message(message) => (Place::Index(0), message),
            _ => return Err(malformed("the path cannot be read")),
        };
        let field = match place {
            Place::Key(key) => key,
            Place::Index(index) => {
                let names = RawPathParams::from_request_parts(parts, state).await;
                let name = names
                    .ok()
                    .and_then(|names| names.iter().nth(index).map(|(name, _)| name.to_owned()));
                name.unwrap_or_default()
            }
        };
        let mut problem = Problem::field("web.path.field", field, message);
        "a field of the path is at fault; `errors` names it".clone_into(&mut problem.detail);
        Err(problem)
    }
}

/// Which parameter of a path is at fault.
enum Place {
    Key(String),
    Index(usize),
}

fn expected(what: &str) -> String {
    format!("expected {what}")
}

/// The header `Idempotency-Key`: 1 to 255 visible ASCII characters, chosen by the client, bound to the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let detail = "send exactly one header `Idempotency-Key`, the same when you repeat a call";
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "web.idempotency_key.missing",
                detail,
            ));
        };
        let text = value.to_str().unwrap_or_default();
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > IDEMPOTENCY_KEY_CHARS_MAX || !visible {
            let detail = "the header `Idempotency-Key` has 1 to 255 visible ASCII characters";
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "web.idempotency_key.malformed",
                detail,
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(IDEMPOTENCY_KEY_CHARS_MAX))
            .pattern(Some("^[!-~]+$"));
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(
                "Chosen by you; the same when you repeat a call whose answer you did not see.",
            ))
            .schema(Some(schema));
        vec![parameter.build()]
    }
}

/// The person behind the access token, and their session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person.
    pub user: UserId,
    /// Their session.
    pub session: SessionId,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)
            .ok_or_else(|| Problem::unauthenticated("web.token.missing", "send `Authorization: Bearer …`"))?;
        let around = parts.extensions.get::<Call>().map(|call| &*call.around);
        let Some((around, verifier)) = around.and_then(|around| Some((around, around.tokens.as_ref()?)))
        else {
            let detail = "a listener without a token verifier has routes that need one";
            return Err(ferrex_fault::Fault::new(
                ferrex_fault::Kind::Internal,
                "web.token.unverifiable",
                detail,
            )
            .into());
        };
        let claims = verifier.verify(token).map_err(|error| match error {
            TokenError::Expired => {
                Problem::unauthenticated("web.token.expired", "the access token has expired")
            }
            TokenError::Invalid | TokenError::Revoked => {
                Problem::unauthenticated("web.token.invalid", "the access token is not valid")
            }
        })?;
        around.limits.check_user(claims.sub)?;
        Ok(Self {
            user: claims.sub,
            session: claims.sid,
        })
    }
}

/// The token of exactly one `Authorization: Bearer` header; never of a query.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}
