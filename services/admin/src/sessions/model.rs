use std::net::{IpAddr, Ipv6Addr};

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use ferrex_ids::{StaffId, StaffSessionId};
use ferrex_time::Timestamp;
use ferrex_web::{ClientAddress, Problem};

use super::{Error, authenticate};
use crate::Admin;

const USER_AGENT_CHARS_MAX: usize = 200;

/// The member of staff behind a request. Taking it as an argument is what protects a handler.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who.
    pub staff: StaffId,
    /// Their name.
    pub name: String,
    /// The session.
    pub session: StaffSessionId,
}

impl FromRequestParts<Admin> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let token = match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
            (Some(value), None) => value
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")),
            _ => None,
        };
        let (_, token) = token.ok_or(Error::NotLoggedIn)?;
        Ok(authenticate(admin, token).await?)
    }
}

/// The client of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// What it calls itself, cut and without control characters.
    pub user_agent: String,
}

impl Client {
    /// What counts as one place: an IPv4 address, or the /64 of an IPv6 address, which one customer has to itself.
    pub fn network(&self) -> String {
        match self.address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let prefix = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
                format!("{prefix}/64")
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let said = parts
            .headers
            .get(USER_AGENT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        let letters = said.unwrap_or_default();
        let letters = letters.chars().filter(|letter| !letter.is_control());
        Ok(Self {
            address,
            user_agent: letters.take(USER_AGENT_CHARS_MAX).collect(),
        })
    }
}

/// A log-in that is good.
#[derive(Clone, Debug)]
pub struct Session {
    /// Which.
    pub id: StaffSessionId,
    /// From where.
    pub address: String,
    /// With what.
    pub user_agent: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// Until when at most.
    pub expires_at: Timestamp,
}
