//! What payment hears and answers. One file a message type's family; to add one: a file here, and a line in [`router`].

mod audits;
mod concerns;
mod cron;
mod fees;
mod journal;
mod markets;
mod people;
mod registry;
mod sessions;
mod withdrawals;

use ferrex_bus::Router;

use crate::Payment;

/// All handlers of this service.
pub fn router(payment: &Payment) -> Router {
    let router = Router::new("payment");
    let router = people::register(router);
    let router = sessions::register(router, payment);
    let router = journal::register(router);
    let router = audits::register(router);
    let router = concerns::register(router, payment);
    let router = cron::register(router, payment);
    let router = registry::register(router, payment);
    let router = markets::register(router, payment);
    let router = fees::register(router, payment);
    withdrawals::register(router, payment)
}
