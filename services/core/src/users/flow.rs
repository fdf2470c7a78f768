use ferrex_contracts::StaffAction;
use ferrex_contracts::core::{ResolvedUser, UserCredentialsChanged, UserFreezeChanged, UserPage, UserView};
use ferrex_fault::Fault;
use ferrex_ids::UserId;
use ferrex_postgres::Tx;
use ferrex_time::{Duration, Timestamp};

use super::{Error, User, UserName, store};
use crate::Core;

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            user: user.id(),
            level: user.level(),
            frozen: user.is_frozen(),
            second_factor: user.second_factor,
            created_at: user.created_at,
            username: user.user_name,
            email: user.email,
        }
    }
}

/// Finds a person by what somebody else typed: a user name, with or without `@`, or an e-mail address.
pub async fn resolve(core: &Core, handle: &str) -> Result<ResolvedUser, Fault> {
    let handle = handle.trim();
    let name = handle.strip_prefix('@').unwrap_or(handle);
    let user = if let Ok(name) = UserName::parse(name) {
        store::find_by_name(&core.db, name.as_str()).await?
    } else if let Ok(email) = super::Email::parse(handle) {
        store::find_by_email(&core.db, email.key()).await?
    } else {
        None
    };
    let user = user.ok_or(Error::NotFound)?;
    // A frozen account still receives; only what leaves is stopped.
    Ok(ResolvedUser {
        user: user.id(),
        username: user.user_name,
        can_receive: true,
    })
}

/// A person as staff see them.
pub async fn find(core: &Core, user: UserId) -> Result<User, Fault> {
    Ok(store::find_by_id(&core.db, user).await?.ok_or(Error::NotFound)?)
}

/// A page of persons for staff.
pub async fn list(
    core: &Core,
    search: Option<&str>,
    cursor: Option<&str>,
    limit: u16,
) -> Result<UserPage, Fault> {
    if !(1..=100).contains(&limit) {
        return Err(Error::Page {
            field: "limit",
            message: "must be between 1 and 100",
        }
        .into());
    }
    let after: Option<UserId> = cursor.map(str::parse).transpose().map_err(|_| Error::Page {
        field: "cursor",
        message: "must be the `next_cursor` of a page",
    })?;
    let search = search.map(str::trim).filter(|text| !text.is_empty());
    let mut users = store::page(&core.db, search, after, i64::from(limit) + 1).await?;
    let more = users.len() > usize::from(limit);
    users.truncate(usize::from(limit));
    let next_cursor = users.last().filter(|_| more).map(|user| user.id().to_string());
    Ok(UserPage {
        items: users.into_iter().map(UserView::from).collect(),
        next_cursor,
    })
}

/// Stops a person's money from moving, or lets it move again. Asking for the state that is there changes nothing.
pub async fn set_freeze(core: &Core, user: UserId, frozen: bool, by: &StaffAction) -> Result<User, Fault> {
    let now = core.now();
    let mut tx = core.db.begin().await?;
    let before = store::lock(&mut tx, user).await?.ok_or(Error::NotFound)?;
    if before.is_frozen() == frozen {
        return Ok(before);
    }
    let reason = by.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(Fault::invalid_field(
            "core.input.invalid",
            "reason",
            "give a reason of 1 to 500 characters",
        ));
    }
    store::write_freeze(&mut tx, user, frozen.then_some((now, by.staff, reason))).await?;
    let version = store::bump(&mut tx, user).await?;
    let event = UserFreezeChanged {
        user,
        frozen,
        reason: reason.to_owned(),
        version,
    };
    core.publish(&mut tx, user, now, &event).await?;
    core.commit(tx).await?;
    tracing::info!(%user, frozen, staff = %by.staff, "account freeze changed");
    find(core, user).await
}

/// Tells the others that the means of logging in changed, so that withdrawals rest (H091). The caller holds the user's lock.
pub(crate) async fn credentials_changed(
    core: &Core,
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
) -> Result<(), Fault> {
    let version = store::bump(tx, user).await?;
    let withdrawals_rest_until = now + Duration::hours(i64::from(core.config.rest_hours));
    let event = UserCredentialsChanged {
        user,
        withdrawals_rest_until,
        version,
    };
    core.publish(tx, user, now, &event).await
}
