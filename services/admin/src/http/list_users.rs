use axum::extract::State;
use ferrex_contracts::core::ListUsers;
use ferrex_web::{Json, Page, Problem, Query};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::limit;
use super::views::UserView;
use crate::Admin;
use crate::sessions::Actor;

/// Which persons.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsersQuery {
    /// Part of a user name or e-mail address.
    #[param(min_length = 1, max_length = 254, pattern = "^[^\\u0000]+$")]
    search: Option<String>,
    /// How many items, 20 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(pattern = "^usr_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    cursor: Option<String>,
}

/// Lists persons
#[utoipa::path(
    get, path = "/v1/users", operation_id = "list_users", tag = "users",
    security(("bearer" = [])),
    params(UsersQuery),
    responses((status = 200, description = "The newest first.", body = Page<UserView>))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    _: Actor,
    Query(query): Query<UsersQuery>,
) -> Result<Json<Page<UserView>>, Problem> {
    let search = query.search;
    if search
        .as_ref()
        .is_some_and(|text| text.is_empty() || text.chars().count() > 254)
    {
        return Err(Problem::field(
            "web.query.field",
            "search",
            "from 1 to 254 characters",
        ));
    }
    let ask = ListUsers {
        search,
        cursor: query.cursor,
        limit: limit(query.limit)?,
    };
    let page = admin.ask("", &ask).await?;
    let items = page.items.into_iter().map(UserView::from).collect();
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}
