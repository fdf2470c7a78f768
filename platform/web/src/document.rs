//! The OpenAPI document of a listener: what the handlers say, plus what every operation may answer.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Info, OpenApi, OpenApiBuilder, OpenApiVersion, Ref, RefOr, Response, ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa_axum::router::OpenApiRouter;

use crate::{FieldProblem, Problem};

/// Name of the security scheme of access tokens, for `security(("bearer" = []))`.
pub const BEARER: &str = "bearer";

/// One listener as the outside sees it.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// Its name in metrics: `public` or `admin`.
    pub name: &'static str,
    /// Title of its document.
    pub title: &'static str,
    /// What it is for, in a sentence or two of Markdown.
    pub description: &'static str,
}

/// Statuses that any operation may answer, in words for the document.
const COMMON: [(u16, &str); 10] = [
    (400, "The request cannot be read."),
    (401, "Who asks is not known."),
    (404, "There is no such thing, or who asks may not know of it."),
    (405, "The path has no such method."),
    (413, "The body is too large."),
    (415, "The body must be JSON."),
    (422, "A field is at fault; `errors` names it."),
    (
        429,
        "Too many calls, or a quota is used up; `Retry-After` says how long to wait.",
    ),
    (500, "A defect on our side."),
    (503, "Something we need is away; the same call may be repeated."),
];
/// Statuses of operations only: those that need who asks, and those that take a body.
const AUTHENTICATED: u16 = 401;
const WITH_BODY: [u16; 2] = [413, 415];
/// Statuses that say when to come again.
const REPEATABLE: [u16; 2] = [429, 503];

/// The document of a listener with these routes.
pub fn document(surface: &Surface, parts: &[OpenApiRouter]) -> OpenApi {
    let mut info = Info::new(surface.title, env!("CARGO_PKG_VERSION"));
    info.description = Some(surface.description.to_owned());
    let mut api = OpenApiBuilder::new().info(info).build();
    api.openapi = OpenApiVersion::Version31;
    for part in parts {
        api.merge(part.get_openapi().clone());
    }
    let components = api.components.get_or_insert_with(Components::new);
    components
        .schemas
        .insert(Problem::name().into_owned(), Problem::schema());
    components
        .schemas
        .insert(FieldProblem::name().into_owned(), FieldProblem::schema());
    for (status, description) in COMMON {
        components
            .responses
            .insert(format!("Problem{status}"), RefOr::T(problem(status, description)));
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    components
        .security_schemes
        .insert(BEARER.to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    for item in api.paths.paths.values_mut() {
        operations(item).for_each(complete);
    }
    api
}

fn problem(status: u16, description: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Problem::name())))
        .build();
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content);
    if !REPEATABLE.contains(&status) {
        return response.build();
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let header = HeaderBuilder::new()
        .schema(Some(seconds))
        .description(Some("Seconds after which the same call is worth repeating."))
        .build();
    response.header("Retry-After", header).build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

/// Adds the common answers that the handler does not describe itself.
fn complete(operation: &mut Operation) {
    let authenticated = operation
        .security
        .as_ref()
        .is_some_and(|schemes| !schemes.is_empty());
    let with_body = operation.request_body.is_some();
    for (status, _) in COMMON {
        if (status == AUTHENTICATED && !authenticated) || (WITH_BODY.contains(&status) && !with_body) {
            continue;
        }
        let reference = || RefOr::Ref(Ref::new(format!("#/components/responses/Problem{status}")));
        operation
            .responses
            .responses
            .entry(status.to_string())
            .or_insert_with(reference);
    }
}
