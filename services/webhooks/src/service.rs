use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ferrex_bus::{Bus, outbox};
use ferrex_flows::{Actor, Options, Runner};
use ferrex_ids::InboundEventId;
use ferrex_postgres::{Db, SqlResult as _};
use ferrex_runtime::{CancellationToken, Readiness, ReadyFlag, supervise};
use ferrex_time::SharedClock;

use crate::inbound::flow::{Forwarder, InboundWebhook, WebhookInput, WebhookState};
use crate::inbound::model::{Headers, Source};
use crate::inbound::receive::Receiver;
use crate::inbound::signature::Secret;
use crate::inbound::store::{self, QuarantinedRow};
use crate::{Accepted, Config, Error, SCHEMA};

/// An event that waits longer than this to be forwarded is looked after by the sweep.
const STUCK_AFTER: ferrex_time::Duration = ferrex_time::Duration::seconds(60);
/// How often readiness is looked at.
const PING_EVERY: Duration = Duration::from_secs(2);

/// What webhooks works with.
#[derive(Clone)]
pub struct Dependencies {
    /// The database, as role `ferrex_webhooks` in schema `webhooks`.
    pub db: Db,
    /// Where events go.
    pub bus: Bus,
    /// The time, for the age of signatures.
    pub clock: SharedClock,
    /// Where the part `webhooks` says whether it works.
    pub readiness: Readiness,
}

/// The webhooks role, ready to run. Clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    config: Config,
    sources: BTreeMap<String, Source>,
    receiver: Receiver,
    bus: Bus,
    ready: ReadyFlag,
}

/// Reads the secrets and checks the settings. The database is waited for in [`Service::run`].
pub fn build(config: Config, dependencies: Dependencies) -> Result<Service, Error> {
    let Dependencies {
        db,
        bus,
        clock,
        readiness,
    } = dependencies;
    let sources = config.sources.iter().map(|(name, settings)| {
        let known = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if name.is_empty() || name.len() > 40 || !known(name) {
            return Err(Error::Settings(format!(
                "`{name}` is no name of a source; use a to z, 0 to 9 and -"
            )));
        }
        if !(1..=2).contains(&settings.secrets.len()) {
            return Err(Error::Settings(format!(
                "source `{name}` needs one secret, or two during a rotation"
            )));
        }
        let read = |file: &ferrex_settings::SecretFile| {
            let text = file.read().map_err(|source| Error::Secret {
                name: name.clone(),
                source,
            })?;
            let wanted =
                || format!("a secret of source `{name}` is not whsec_ and base64 of at least 24 bytes");
            Secret::parse(&text).ok_or_else(|| Error::Settings(wanted()))
        };
        let source = Source {
            secrets: settings.secrets.iter().map(read).collect::<Result<_, _>>()?,
            tolerance_seconds: settings.tolerance_seconds,
            order_key_pointer: settings.order_key_pointer.clone(),
        };
        Ok((name.clone(), source))
    });
    let sources = sources.collect::<Result<_, _>>()?;
    if config.lease_seconds == 0 {
        return Err(Error::Settings(
            "webhooks.lease_seconds must be at least 1".to_owned(),
        ));
    }
    let options = Options {
        lease: Duration::from_secs(config.lease_seconds),
        ..Options::new(SCHEMA.schema)
    };
    let runner = Runner::new(InboundWebhook, db.clone(), clock.clone(), options);
    let receiver = Receiver {
        db,
        clock,
        runner,
        quarantine_rows_max: config.quarantine_rows_max,
    };
    Ok(Service(Arc::new(Inner {
        config,
        sources,
        receiver,
        bus,
        ready: readiness.register("webhooks"),
    })))
}

impl Service {
    /// Forwards what was taken in until `shutdown` is cancelled.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let inner = &*self.0;
        let receiver = &inner.receiver;
        let forwarder = Forwarder::new(receiver.db.clone(), receiver.clock.clone());
        let relay = outbox::relay(&receiver.db, &inner.bus, shutdown.clone());
        let forwarding = receiver.runner.run(forwarder, shutdown.clone());
        let sweeping = supervise("webhooks sweep", shutdown.clone(), || {
            self.sweep_from_time_to_time(&shutdown)
        });
        let watching = self.watch(&shutdown);
        let (relayed, (), (), ()) = tokio::join!(relay, forwarding, sweeping, watching);
        relayed.map_err(Error::Outbox)
    }

    pub(crate) fn body_bytes_max(&self) -> usize {
        self.0.config.body_bytes_max
    }

    fn source(&self, name: &str) -> Result<&Source, Error> {
        self.0.sources.get(name).ok_or(Error::UnknownSource)
    }

    /// Takes an event in; when it returns, the event is stored for good.
    pub(crate) async fn receive(
        &self,
        name: &str,
        headers: Headers,
        body: Vec<u8>,
    ) -> Result<Accepted, Error> {
        let source = self.source(name)?;
        self.0.receiver.receive(name, source, headers, body).await
    }

    /// Puts an event on the bus once more, as a new message, for the consumers to handle again.
    pub async fn replay(&self, id: InboundEventId, actor: &Actor) -> Result<(), Error> {
        let sent = self
            .0
            .receiver
            .runner
            .send(id.cast(), WebhookInput::Replay, actor)
            .await;
        sent.map(drop).map_err(|error| match error {
            ferrex_flows::Error::NotFound { .. } => Error::UnknownEvent(id),
            ferrex_flows::Error::Refused { .. } => Error::UnderWay(id),
            other => Error::flow(id)(other),
        })
    }

    /// Refused events, the newest first.
    pub async fn list_quarantined(&self, limit: u16) -> Result<Vec<QuarantinedRow>, Error> {
        let mut connection = self
            .0
            .receiver
            .db
            .pool()
            .acquire()
            .await
            .doing("listing refused events")?;
        Ok(store::list_quarantined(&mut connection, i64::from(limit)).await?)
    }

    /// Takes a refused event in after all, if its signature holds with the present secrets; its age does not matter.
    /// If it is refused again it stays where it is.
    pub async fn release(&self, id: i64) -> Result<Accepted, Error> {
        let receiver = &self.0.receiver;
        let mut connection = receiver
            .db
            .pool()
            .acquire()
            .await
            .doing("reading a refused event")?;
        let found = store::find_quarantined(&mut connection, id).await?;
        let (name, headers, body) = found.ok_or(Error::UnknownQuarantined(id))?;
        let accepted = receiver
            .release(&name, self.source(&name)?, headers, body)
            .await?;
        // Only now: a crash before leaves it in both places, and a second release finds a duplicate.
        store::delete_quarantined(&mut connection, id).await?;
        Ok(accepted)
    }

    /// Sees to events that were stored and never forwarded (H066): starts the flow of one that has none, and lets one that
    /// waits for its next attempt try now. Answers how many there were.
    pub async fn sweep(&self) -> Result<usize, Error> {
        let receiver = &self.0.receiver;
        let before = receiver.clock.now() - STUCK_AFTER;
        let mut connection = receiver
            .db
            .pool()
            .acquire()
            .await
            .doing("looking for stuck events")?;
        let stuck = store::list_stuck(&mut connection, before).await?;
        drop(connection);
        for id in &stuck {
            receiver
                .runner
                .start_now(
                    id.cast(),
                    WebhookState::Received,
                    WebhookInput::Stored,
                    &Actor::SYSTEM,
                )
                .await
                .map_err(Error::flow(*id))?;
            receiver
                .runner
                .rearm(Some(id.cast()))
                .await
                .map_err(Error::flow(*id))?;
        }
        if !stuck.is_empty() {
            tracing::warn!(
                events = stuck.len(),
                "events were stored and not forwarded for a minute"
            );
        }
        Ok(stuck.len())
    }

    async fn sweep_from_time_to_time(&self, shutdown: &CancellationToken) -> Result<(), Error> {
        let pause = Duration::from_secs(self.0.config.sweep_seconds.max(1));
        while !shutdown.is_cancelled() {
            self.sweep().await?;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    async fn watch(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            match self.0.receiver.db.ping().await {
                Ok(()) => self.0.ready.set_ready(),
                Err(_) => self.0.ready.set_missing("the database does not answer"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(PING_EVERY) => {}
            }
        }
    }
}
