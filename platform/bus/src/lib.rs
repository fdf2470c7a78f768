//! The bus: how services tell each other what happened, and ask each other things.
//!
//! PostgreSQL is the truth and the bus carries facts already committed. Two transports stand behind one interface and
//! pass one suite of contract tests (`tests/it`): **Kafka**, and **embedded**, a log in PostgreSQL for one machine.
//!
//! - [`outbox::put`] writes an event in the transaction of the change it tells of; [`outbox::relay`] publishes what is
//!   committed, per aggregate in commit order, at least once.
//! - [`serve`] runs the handlers of a [`Router`] as one member of the service's consumer group. An event's handler and
//!   its inbox row are one transaction, and the offset follows it, so an event takes effect once however often it is
//!   delivered. Messages of one key are handled in order, those of different keys side by side. What must keep up with
//!   the engine is handled by the batch ([`Router::on_event_batch`], [`Router::on_unordered_event_batch`]).
//! - A failing message is tried again with growing pauses while its fault is transient, then it is [`parked`]: kept with
//!   its origin and the reason, until staff redrive or discard it. Later messages of its key park behind it; other keys go on.
//! - [`Bus::request`] asks and waits for the answer until a deadline. A request may be handled twice or after its asker
//!   gave up, so what it causes must be idempotent by an id in its body. [`RequestError::TimedOut`] means unknown.
//!
//! Tables (in each service's schema, [`MIGRATIONS`]): `outbox`, `published`, `published_end`, `inbox`, `parked`. Tables of the embedded log
//! (schema `bus`, [`EMBEDDED`]): `topic`, `head`, `record_batch`, `consumer_group`, `member`, `claim`.
//!
//! How it fails: without the broker events wait in the outbox and nothing else stops; without the service's database
//! consumers wait and retry without counting; a position that the broker no longer has is an error that ends [`serve`],
//! never a silent jump. A broker that has lost what it had taken is noticed by its offsets ([`Watch`]): what it took in
//! the last hour is published again, and readers begin at the beginning.
//!
//! On the wire it is CloudEvents in Kafka headers with a JSON body, and requests speak the headers of NestJS, so both
//! kinds of service can share topics. A message without `ce_type` (from NestJS) goes to the handler that is alone on its
//! topic, or to the one whose type is the topic's name.
//!
//! # To add a message type
//! 1. Write the struct into its owner's file of `ferrex-contracts` and list it there with its type name and topic.
//! 2. Publisher: `outbox::put(&mut tx, &Outgoing::event(…))` under the aggregate's lock. For a request: [`Bus::request`].
//! 3. Consumer: one file under `consumers/`, registered with [`Router::on_event`], [`Router::on_event_batch`] or
//!    [`Router::on_request`].

mod bus;
mod embedded;
mod error;
mod headers;
pub mod inbox;
mod kafka;
mod message;
pub mod outbox;
pub mod parked;
mod receipts;
mod request;
mod router;
mod schema;
mod serve;
pub mod trace;
mod transport;

pub use bus::{Bus, BusConfig, TransportConfig};
pub use embedded::EmbeddedConfig;
pub use error::{Error, RequestError};
pub use headers::Headers;
pub use kafka::KafkaConfig;
pub use message::{Delivery, Outgoing};
pub use receipts::{Place, Receipt, Watch, ends};
pub use request::RequestContext;
pub use router::{RetryPolicy, Router};
pub use schema::{EMBEDDED, MIGRATIONS};
pub use serve::serve;
pub use transport::Lag;
