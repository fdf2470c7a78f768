//! An order over HTTP to its durable answer: `POST /v1/orders` of the real product (one process with all roles; access
//! tokens, limits, traces and metrics on) beside the same service in NestJS with `pg` and row locks, on the same PostgreSQL.
//! Closed loop for how many, open loop for how long.

mod load;
mod ours;
mod peer;
pub mod soak;

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::ensure;

use self::load::{CONNECTIONS, People, Trader};
use self::ours::Ours;
pub(crate) use self::ours::{start, superuser_url};
use self::peer::Peer;
use crate::effort::Effort;
use crate::http::client;
use crate::latency::Latencies;
use crate::open_loop::{self, Pool};
use crate::pairs::{Limit, Run, compare};

/// Part of what the peer can do at which both are asked for latency.
const SHARE: f64 = 0.5;

/// Runs both comparisons.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let mut ours = Ours::start().await?;
    let people = ours.people().await?;
    let peer = Peer::start(&ours, &people).await?;
    let peers_rate = Cell::new(f64::INFINITY);
    compare(
        "orders over HTTP",
        effort.pairs,
        Limit::Disk,
        async || {
            let before = ours.count().await?;
            let (run, answered) = at_most(ours.port(), &people.with_tokens(ours.tokens()), effort).await?;
            ours.check(before, answered).await?;
            Ok(run)
        },
        async || {
            let before = peer.count().await?;
            let (run, answered) = at_most(peer.port(), &people.with_tokens(ours.tokens()), effort).await?;
            peer.check(before, answered).await?;
            peers_rate.set(peers_rate.get().min(run.rate()));
            Ok(run)
        },
    )
    .await?;
    let per_second = peers_rate.get() * SHARE;
    ensure!(per_second.is_finite(), "no pair of the closed loop was run");
    open_loop::compare(
        &format!("orders over HTTP, {per_second:.0} a second"),
        effort,
        Limit::Disk,
        async || {
            let before = ours.count().await?;
            let (latencies, answered) =
                at(per_second, ours.port(), people.with_tokens(ours.tokens()), effort).await?;
            ours.check(before, answered).await?;
            Ok(latencies)
        },
        async || {
            let before = peer.count().await?;
            let (latencies, answered) =
                at(per_second, peer.port(), people.with_tokens(ours.tokens()), effort).await?;
            peer.check(before, answered).await?;
            Ok(latencies)
        },
    )
    .await?;
    peer.stop().await?;
    ours.audit_and_stop().await
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// As many as there can be; answers also how many orders there were in all.
async fn at_most(port: u16, people: &People, effort: Effort) -> anyhow::Result<(Run, u64)> {
    let traders = (0..CONNECTIONS).map(|_| Trader::new(people.clone()));
    let seen = client::closed(local(port), traders.collect(), effort).await?;
    let run = Run {
        count: seen.counted,
        took: effort.run,
        cpu: seen.cpu,
        note: String::new(),
    };
    Ok((run, seen.answered))
}

/// At a rate.
async fn at(per_second: f64, port: u16, people: People, effort: Effort) -> anyhow::Result<(Latencies, u64)> {
    let pool = Pool::open(local(port), 4 * CONNECTIONS).await?;
    let seen = open_loop::run(per_second, effort, move |_| {
        let (pool, people) = (pool.clone(), people.clone());
        async move {
            let mut trader = Trader::new(people);
            pool.call(&mut trader).await
        }
    })
    .await?;
    Ok((seen.latencies, u64::try_from(seen.answers.len())?))
}
