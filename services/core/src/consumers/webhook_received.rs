//! `webhooks.received` of source `identity`: the identity provider decided.

use ferrex_bus::Router;
use ferrex_contracts::webhooks::{IDENTITY_SOURCE, WebhookReceived};

use crate::Core;
use crate::verifications::{self, ProviderEvent};

pub(super) fn register(router: Router, core: Core) -> Router {
    // Each decision stands for itself: one that is parked because nobody knows its submission holds up no other.
    router.on_unordered_event::<WebhookReceived, _>(move |_, received, tx| {
        let core = core.clone();
        Box::pin(async move {
            if received.source != IDENTITY_SOURCE {
                return Ok(());
            }
            if let Some(event) = ProviderEvent::read(&received.body)? {
                verifications::provider_says(&core, tx, &event).await?;
            }
            Ok(())
        })
    })
}
