use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ferrex_fault::{Fault, Kind};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::middleware::current_request_id;

/// A refusal or failure on its way out.
#[derive(Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// What went wrong, stable over releases.
    pub code: Cow<'static, str>,
    /// One sentence for the person or programmer who called.
    pub detail: String,
    /// The fields at fault, if the fault is in fields.
    pub errors: Vec<FieldProblem>,
    /// Seconds to wait before the call is worth repeating.
    retry_after: Option<u32>,
    /// What only the log may know.
    log: Option<String>,
}

/// A refusal or failure, as RFC 9457 writes it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: `code` says what went wrong.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: Cow<'static, str>,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: Cow<'static, str>,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 422)]
    pub status: u16,
    /// One sentence for the person or programmer who called.
    pub detail: String,
    /// What went wrong, stable over releases: switch on this.
    #[schema(example = "web.body.field")]
    pub code: Cow<'static, str>,
    /// The fields at fault, if the fault is in fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldProblem>,
    /// Names the call in our logs; quote it when asking for help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        ProblemBody::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        ProblemBody::name()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ProblemBody::schemas(schemas);
    }
}

/// A field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Path of the field, such as `amount` or `items[2].name`.
    #[schema(example = "amount")]
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl Problem {
    /// A problem with this status, code and sentence.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            log: None,
        }
    }

    /// A field is at fault (422).
    pub fn field(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::invalid_field(code, field, message).into()
    }

    /// Who asks is not known (401).
    pub fn unauthenticated(code: &'static str, detail: impl Into<String>) -> Self {
        Fault::new(Kind::Unauthenticated, code, detail).into()
    }

    /// There is no such thing, or who asks may not know of it (404).
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Fault::new(Kind::NotFound, code, detail).into()
    }

    /// Says when the call is worth repeating.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl<E: Into<Fault>> From<E> for Problem {
    fn from(error: E) -> Self {
        let fault = error.into();
        let status = match fault.kind {
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        // What went wrong inside is for the log; the caller learns what to do.
        let (detail, log) = match fault.kind {
            Kind::Internal => (
                "something went wrong on our side; quote the request id",
                Some(fault.chain()),
            ),
            Kind::Unavailable => (
                "something we need is away; the same call may be repeated",
                Some(fault.chain()),
            ),
            _ => ("", None),
        };
        let detail = if log.is_some() {
            detail.to_owned()
        } else {
            fault.detail
        };
        let mut problem = Self::new(status, fault.code, detail);
        problem.errors = fault
            .fields
            .into_iter()
            .map(|f| FieldProblem {
                field: f.field,
                message: f.message,
            })
            .collect();
        problem.log = log;
        let soon = (fault.kind == Kind::Unavailable).then_some(1);
        problem.retry_after = fault.retry_after_s.or(soon);
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let request_id = current_request_id();
        if let Some(cause) = self.log {
            let (code, request_id) = (&*self.code, request_id.as_deref().unwrap_or(""));
            tracing::error!(code, request_id, cause, "request failed");
        }
        let status = self.status;
        let body = ProblemBody {
            kind: Cow::Borrowed("about:blank"),
            title: Cow::Borrowed(status.canonical_reason().unwrap_or("Error")),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code,
            errors: self.errors,
            request_id,
        };
        let body = serde_json::to_vec(&body).expect("a problem holds only texts and a number");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
