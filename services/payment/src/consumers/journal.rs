//! `engine.journal.v1`: what moved, for people's histories.

use ferrex_bus::Router;
use ferrex_contracts::engine::JournalCommitted;
use ferrex_fault::{Fault, Kind};

use crate::statement::movements;
use crate::statement::store::{self, Line};

/// Adds the handler. Each command stands for itself: the history orders by the journal's sequence, and a command that comes
/// again finds its lines.
pub(super) fn register(router: Router) -> Router {
    let router = router.on_unordered_event_batch::<JournalCommitted, _>(|_, events, tx| {
        Box::pin(async move {
            let mut lines = Vec::new();
            for event in &events {
                let movements = movements::split(event).map_err(|_| {
                    let detail = format!("command {} moves more than 128 bits hold", event.command);
                    Fault::new(Kind::Invalid, "payment.statement.overflow", detail)
                })?;
                lines.extend(movements.into_iter().map(|((user, asset), movement)| Line {
                    event,
                    user,
                    asset,
                    movement,
                }));
            }
            Ok(store::insert(tx, &lines).await?)
        })
    });
    router.without_inbox::<JournalCommitted>()
}
