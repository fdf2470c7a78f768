//! Who calls: the person behind an access token whose session is alive in the database (A19).

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use ferrex_ids::{SessionId, UserId};
use ferrex_web::{Caller, Problem};

use crate::{Core, sessions};

/// The person behind the access token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    pub user: UserId,
    pub session: SessionId,
}

impl FromRequestParts<Core> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, core: &Core) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, core).await?;
        let session = sessions::authenticate(core, caller.user, caller.session).await?;
        Ok(Self {
            user: session.user(),
            session: session.id(),
        })
    }
}

/// The text of the one `Authorization: Bearer` header, for a session token.
pub(super) struct SessionToken(pub String);

impl<S: Sync> FromRequestParts<S> for SessionToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let only = values.next().filter(|_| values.next().is_none());
        let token = only
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            let detail = "send the session token as `Authorization: Bearer …`";
            return Err(Problem::unauthenticated("core.session.token_missing", detail));
        };
        Ok(Self(token.trim().to_owned()))
    }
}
