//! `core.user.v1`: name, level, freeze and rest of a person.

use ferrex_bus::Router;
use ferrex_contracts::core::{UserConfirmed, UserCredentialsChanged, UserFreezeChanged, UserLevelChanged};

use crate::customer::store;

/// Adds the handlers.
pub(super) fn register(router: Router) -> Router {
    router
        .on_event::<UserConfirmed, _>(|_, event, tx| {
            Box::pin(
                async move { Ok(store::set_username(tx, event.user, &event.username, event.version).await?) },
            )
        })
        .on_event::<UserLevelChanged, _>(|_, event, tx| {
            Box::pin(async move { Ok(store::set_level(tx, event.user, event.level, event.version).await?) })
        })
        .on_event::<UserFreezeChanged, _>(|_, event, tx| {
            Box::pin(async move { Ok(store::set_frozen(tx, event.user, event.frozen, event.version).await?) })
        })
        .on_event::<UserCredentialsChanged, _>(|_, event, tx| {
            Box::pin(async move {
                Ok(store::set_rest(tx, event.user, event.withdrawals_rest_until, event.version).await?)
            })
        })
}
