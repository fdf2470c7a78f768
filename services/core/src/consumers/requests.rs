//! What other services ask. Each is a thin door to the flow of the same name.

use ferrex_bus::Router;
use ferrex_contracts::Done;
use ferrex_contracts::core::{
    DecideVerification, GetUser, GetVerification, ListUsers, ListVerifications, ResolveUser, SetUserFreeze,
    UserView, VerificationView, VerifySecondFactor,
};

use crate::{Core, factors, users, verifications};

pub(super) fn register(router: Router, core: &Core) -> Router {
    verifications_of(users_of(router, core), core)
}

fn users_of(router: Router, core: &Core) -> Router {
    let (resolve, verify, get, list, freeze) = (
        core.clone(),
        core.clone(),
        core.clone(),
        core.clone(),
        core.clone(),
    );
    router
        .on_request::<ResolveUser, _, _>(move |_, ask| {
            let core = resolve.clone();
            async move { users::resolve(&core, &ask.handle).await }
        })
        .on_request::<VerifySecondFactor, _, _>(move |_, ask| {
            let core = verify.clone();
            async move {
                factors::verify_for(&core, ask.user, &ask.code, &ask.action, &ask.binding).await?;
                Ok(Done {})
            }
        })
        .on_request::<GetUser, _, _>(move |_, ask| {
            let core = get.clone();
            async move { users::find(&core, ask.user).await.map(UserView::from) }
        })
        .on_request::<ListUsers, _, _>(move |_, ask| {
            let core = list.clone();
            async move { users::list(&core, ask.search.as_deref(), ask.cursor.as_deref(), ask.limit).await }
        })
        .on_request::<SetUserFreeze, _, _>(move |_, ask| {
            let core = freeze.clone();
            async move {
                users::set_freeze(&core, ask.user, ask.frozen, &ask.by)
                    .await
                    .map(UserView::from)
            }
        })
}

fn verifications_of(router: Router, core: &Core) -> Router {
    let (list, get, decide) = (core.clone(), core.clone(), core.clone());
    router
        .on_request::<ListVerifications, _, _>(move |_, ask| {
            let core = list.clone();
            async move { verifications::list(&core, ask.state, ask.cursor.as_deref(), ask.limit).await }
        })
        .on_request::<GetVerification, _, _>(move |_, ask| {
            let core = get.clone();
            async move {
                verifications::get(&core, ask.verification)
                    .await
                    .map(VerificationView::from)
            }
        })
        .on_request::<DecideVerification, _, _>(move |_, ask| {
            let core = decide.clone();
            async move {
                let row = verifications::decide(&core, ask.verification, ask.decision, &ask.by).await?;
                Ok(VerificationView::from(row))
            }
        })
}
