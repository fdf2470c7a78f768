use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ferrex_contracts::{Message, Request};
use ferrex_fault::{Fault, Kind};
use ferrex_postgres::Tx;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::inbox::Remembers;
use crate::{Delivery, RequestContext};

/// How a failing event is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts in all, before it is parked.
    pub attempts: u32,
    /// The pause after the first; each doubles the one before.
    pub first: Duration,
    /// The longest pause.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// Eight attempts within about 13 seconds.
    fn default() -> Self {
        Self {
            attempts: 8,
            first: Duration::from_millis(100),
            cap: Duration::from_secs(10),
        }
    }
}

type EventCall = dyn for<'t> Fn(&'t [Delivery], &'t mut Tx) -> BoxFuture<'t, Result<(), Fault>> + Send + Sync;
type RequestCall =
    dyn Fn(RequestContext, &Delivery) -> BoxFuture<'static, Result<Value, Fault>> + Send + Sync;

#[derive(Clone)]
pub(crate) struct EventRoute {
    pub topic: &'static str,
    pub ordered: bool,
    pub remembers: Remembers,
    /// Handles messages of its type, one or, if `batched`, many in their order.
    pub call: Arc<EventCall>,
    pub batched: bool,
}

#[derive(Clone)]
pub(crate) struct RequestRoute {
    pub topic: &'static str,
    pub call: Arc<RequestCall>,
}

/// Which function handles which message type, for one service. Clones share the functions.
#[derive(Clone)]
pub struct Router {
    pub(crate) group: &'static str,
    pub(crate) events: BTreeMap<&'static str, EventRoute>,
    pub(crate) requests: BTreeMap<&'static str, RequestRoute>,
    pub(crate) retry: RetryPolicy,
    pub(crate) events_at_once: usize,
    pub(crate) requests_at_once: usize,
    pub(crate) inbox_days: i32,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router")
            .field("group", &self.group)
            .field("events", &self.events.keys())
            .field("requests", &self.requests.keys())
            .finish_non_exhaustive()
    }
}

/// Gives a closure the type that a router keeps, lifetimes included.
fn lend<F>(call: F) -> Arc<EventCall>
where
    F: for<'t> Fn(&'t [Delivery], &'t mut Tx) -> BoxFuture<'t, Result<(), Fault>> + Send + Sync + 'static,
{
    Arc::new(call)
}

fn undecodable(error: crate::Error) -> Fault {
    let fault = Fault::from(error);
    Fault::new(Kind::Invalid, "bus.message.undecodable", fault.chain())
}

impl Router {
    /// A router without handlers for the consumer group of a service.
    pub fn new(group: &'static str) -> Self {
        Self {
            group,
            events: BTreeMap::new(),
            requests: BTreeMap::new(),
            retry: RetryPolicy::default(),
            events_at_once: 8,
            requests_at_once: 32,
            inbox_days: 30,
        }
    }

    /// Handles an event inside the transaction that also remembers the message, so that it takes effect once.
    ///
    /// Events of one key are handled in order. A fault rolls everything back; a transient one is tried again. What is not
    /// in the transaction (a call to the outside) may happen more than once: start a flow instead.
    ///
    /// ```text
    /// router.on_event::<UserRegistered, _>(move |delivery, event, tx| Box::pin(async move { … Ok(()) }))
    /// ```
    #[must_use]
    pub fn on_event<M, F>(self, handle: F) -> Self
    where
        M: Message,
        F: for<'t> Fn(&'t Delivery, M, &'t mut Tx) -> BoxFuture<'t, Result<(), Fault>>
            + Send
            + Sync
            + 'static,
    {
        self.add_event::<M, F>(true, handle)
    }

    /// Like [`Self::on_event`] for a type whose messages stand each for itself: one that is parked holds up no other.
    #[must_use]
    pub fn on_unordered_event<M, F>(self, handle: F) -> Self
    where
        M: Message,
        F: for<'t> Fn(&'t Delivery, M, &'t mut Tx) -> BoxFuture<'t, Result<(), Fault>>
            + Send
            + Sync
            + 'static,
    {
        self.add_event::<M, F>(false, handle)
    }

    /// Handles events by the hundred, for a read model that must keep up with the engine: all that wait in a partition, in
    /// their order, in one transaction. Write them with one statement over arrays.
    ///
    /// When the handler fails it is called again for each event alone, so that one bad event is retried and parked like any
    /// other; it must therefore do for one what it does for many.
    #[must_use]
    pub fn on_event_batch<M, F>(self, handle: F) -> Self
    where
        M: Message,
        F: for<'t> Fn(&'t [Delivery], Vec<M>, &'t mut Tx) -> BoxFuture<'t, Result<(), Fault>>
            + Send
            + Sync
            + 'static,
    {
        self.add_batch::<M, F>(true, handle)
    }

    /// Like [`Self::on_event_batch`] for a type whose messages stand each for itself: one that is parked holds up no other.
    #[must_use]
    pub fn on_unordered_event_batch<M, F>(self, handle: F) -> Self
    where
        M: Message,
        F: for<'t> Fn(&'t [Delivery], Vec<M>, &'t mut Tx) -> BoxFuture<'t, Result<(), Fault>>
            + Send
            + Sync
            + 'static,
    {
        self.add_batch::<M, F>(false, handle)
    }

    /// Leaves a type out of the inbox, which saves a row a message: its handler must make one effect of a repetition by itself,
    /// also of one at the same time, as a read model does that knows how far it has come. Parked messages are remembered
    /// all the same; what comes again of an ordered key while one of its messages is parked waits behind that.
    #[must_use]
    pub fn without_inbox<M: Message>(mut self) -> Self {
        let route = self.events.get_mut(M::TYPE).expect("the type has a handler");
        route.remembers = Remembers::Parked;
        self
    }

    fn add_batch<M, F>(mut self, ordered: bool, handle: F) -> Self
    where
        M: Message,
        F: for<'t> Fn(&'t [Delivery], Vec<M>, &'t mut Tx) -> BoxFuture<'t, Result<(), Fault>>
            + Send
            + Sync
            + 'static,
    {
        let call = lend(move |deliveries, tx| {
            match deliveries
                .iter()
                .map(Delivery::decode::<M>)
                .collect::<Result<Vec<M>, _>>()
            {
                Ok(messages) => handle(deliveries, messages, tx),
                Err(error) => Box::pin(std::future::ready(Err(undecodable(error)))),
            }
        });
        self.events.insert(
            M::TYPE,
            EventRoute {
                topic: M::TOPIC,
                ordered,
                remembers: Remembers::All,
                call,
                batched: true,
            },
        );
        self
    }

    fn add_event<M, F>(mut self, ordered: bool, handle: F) -> Self
    where
        M: Message,
        F: for<'t> Fn(&'t Delivery, M, &'t mut Tx) -> BoxFuture<'t, Result<(), Fault>>
            + Send
            + Sync
            + 'static,
    {
        let call = lend(move |deliveries, tx| {
            let [delivery] = deliveries else {
                unreachable!("only batched types are handled by the batch")
            };
            match delivery.decode::<M>() {
                Ok(message) => handle(delivery, message, tx),
                Err(error) => Box::pin(std::future::ready(Err(undecodable(error)))),
            }
        });
        self.events.insert(
            M::TYPE,
            EventRoute {
                topic: M::TOPIC,
                ordered,
                remembers: Remembers::All,
                call,
                batched: false,
            },
        );
        self
    }

    /// Answers a request. Every fault is answered, the asker decides whether to ask again.
    ///
    /// A request may arrive more than once, so what it causes must be idempotent by an id in its body.
    #[must_use]
    pub fn on_request<R, F, Fut>(mut self, handle: F) -> Self
    where
        R: Request,
        F: Fn(RequestContext, R) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Reply, Fault>> + Send + 'static,
    {
        let call =
            move |context: RequestContext, delivery: &Delivery| -> BoxFuture<'static, Result<Value, Fault>> {
                match delivery.decode::<R>() {
                    Ok(request) => {
                        let answer = handle(context, request);
                        Box::pin(async move {
                            let reply = answer.await?;
                            serde_json::to_value(&reply).map_err(|error| {
                                Fault::new(Kind::Internal, "bus.reply.unencodable", error.to_string())
                            })
                        })
                    }
                    Err(error) => Box::pin(std::future::ready(Err(undecodable(error)))),
                }
            };
        self.requests.insert(
            R::TYPE,
            RequestRoute {
                topic: R::TOPIC,
                call: Arc::new(call),
            },
        );
        self
    }

    /// How failing events are tried again.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How many events and requests are handled at once; each event takes a database connection. 8 and 32 unless told.
    #[must_use]
    pub fn at_once(mut self, events: usize, requests: usize) -> Self {
        (self.events_at_once, self.requests_at_once) = (events.max(1), requests.max(1));
        self
    }

    /// For how long handled messages are remembered; must be longer than any topic keeps them. 30 days unless told.
    #[must_use]
    pub fn inbox_days(mut self, days: i32) -> Self {
        self.inbox_days = days;
        self
    }

    pub(crate) fn event_topics(&self) -> Vec<String> {
        let topics: BTreeSet<&str> = self.events.values().map(|route| route.topic).collect();
        topics.into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn request_topics(&self) -> Vec<String> {
        let topics: BTreeSet<&str> = self.requests.values().map(|route| route.topic).collect();
        topics.into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn event_route(&self, delivery: &Delivery) -> Option<&EventRoute> {
        find(&self.events, delivery, |route| route.topic)
    }

    pub(crate) fn request_route(&self, delivery: &Delivery) -> Option<&RequestRoute> {
        find(&self.requests, delivery, |route| route.topic)
    }
}

/// By type; a message that names none goes to the handler that is alone on its topic.
fn find<'r, T>(
    routes: &'r BTreeMap<&'static str, T>,
    delivery: &Delivery,
    topic: impl Fn(&T) -> &'static str,
) -> Option<&'r T> {
    if let Some(route) = routes.get(&*delivery.message_type) {
        return Some(route);
    }
    let mut here = routes.values().filter(|route| topic(route) == &*delivery.topic);
    let first = here.next().filter(|_| !delivery.is_typed());
    first.filter(|_| here.next().is_none())
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::Headers;
    use crate::transport::{Incoming, Partition};

    macro_rules! message {
        ($name:ident, $topic:literal) => {
            #[derive(Serialize, Deserialize)]
            struct $name {}
            impl Message for $name {
                const TYPE: &'static str = stringify!($name);
                const TOPIC: &'static str = $topic;
            }
        };
    }
    message!(Priced, "shop.priced");
    message!(Ordered, "shop.ordered");
    message!(Opened, "shop.changed");
    message!(Closed, "shop.changed");

    fn router() -> Router {
        macro_rules! ignoring {
            ($router:expr, $($name:ident),+) => {
                $router$(.on_event::<$name, _>(|_, _, _| Box::pin(std::future::ready(Ok(())))))+
            };
        }
        ignoring!(Router::new("shop"), Priced, Ordered, Opened, Closed)
    }

    fn topic_of_handler(topic: &str, message_type: Option<&'static str>) -> Option<&'static str> {
        let mut headers = Headers::default();
        if let Some(message_type) = message_type {
            headers.push("ce_type", message_type);
        }
        let delivery = Delivery::read(Incoming {
            partition: Partition::new(topic, 0),
            offset: 0,
            key: None,
            headers,
            body: None,
            at: ferrex_time::from_micros(0),
        });
        router().event_route(&delivery).map(|route| route.topic)
    }

    #[test]
    fn a_message_without_a_type_goes_to_the_only_handler_of_its_topic() {
        assert_eq!(topic_of_handler("shop.priced", None), Some("shop.priced"));
        assert_eq!(topic_of_handler("shop.ordered", None), Some("shop.ordered"));
        assert_eq!(topic_of_handler("shop.changed", None), None, "two could be meant");
        assert_eq!(topic_of_handler("shop.others", None), None);
    }

    #[test]
    fn a_message_with_a_type_goes_to_no_other_type() {
        assert_eq!(
            topic_of_handler("shop.changed", Some("Closed")),
            Some("shop.changed")
        );
        assert_eq!(topic_of_handler("shop.ordered", Some("Cancelled")), None);
    }
}
