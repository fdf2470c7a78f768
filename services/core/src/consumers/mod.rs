//! What this service hears and answers on the bus. To add a message type: one file here, one line in [`router`].

mod cron_tick;
mod requests;
mod webhook_received;

use ferrex_bus::Router;

use crate::Core;
use crate::app::SOURCE;

/// The handlers of this service.
pub(crate) fn router(core: &Core) -> Router {
    let router = Router::new(SOURCE);
    let router = cron_tick::register(router, core.clone());
    let router = webhook_received::register(router, core.clone());
    requests::register(router, core)
}
