//! `engine.journal.v1`: what moved, for people's histories.

use ferrex_bus::Router;
use ferrex_contracts::engine::JournalCommitted;
use ferrex_fault::{Fault, Kind};

use crate::statement::{movements, store};

/// Adds the handler. Each command stands for itself: the history orders by the journal's sequence.
pub(super) fn register(router: Router) -> Router {
    router.on_unordered_event::<JournalCommitted, _>(|_, event, tx| {
        Box::pin(async move {
            let overflow = |_| {
                let detail = format!("command {} moves more than 128 bits hold", event.command);
                Fault::new(Kind::Invalid, "payment.statement.overflow", detail)
            };
            for ((user, asset), movement) in movements::split(&event).map_err(overflow)? {
                store::insert(tx, &event, user, asset, &movement).await?;
            }
            Ok(())
        })
    })
}
