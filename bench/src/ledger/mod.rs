//! Durable, idempotent transfers. Beside it, on the same server:
//!
//! - the pattern that people use: BEGIN, two SELECT FOR UPDATE, two UPDATE, INSERT, COMMIT on 16 connections;
//! - the same as one call of a stored function a transfer;
//! - a bare insert of the same journal rows in the same batches, that checks nothing: what the disk and PostgreSQL allow.
//!
//! [`ack`] is how long one takes at 30 % of what is possible, [`growth`] what more accounts and more history cost.

pub mod ack;
mod bare;
pub mod growth;
mod load;
mod ours;
mod peer;

use ferrex_testkit::Postgres;

use self::bare::Bare;
use self::load::{Load, Spread};
use self::ours::Ours;
use self::peer::{Pattern, Peer};
use crate::effort::Effort;
use crate::pairs::{Limit, compare};

/// Callers in flight of ours beside a peer with connections.
const CALLERS: usize = 256;

/// Runs all comparisons.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let postgres = Postgres::for_load().await;
    for (name, spread, pattern) in [
        ("ledger, uniform", Spread::Uniform, Pattern::Locks),
        ("ledger, half on one account", Spread::HalfOnOne, Pattern::Locks),
        (
            "ledger beside a stored function",
            Spread::Uniform,
            Pattern::Function,
        ),
    ] {
        let ours = Ours::start(&postgres).await?;
        let peer = Peer::start(&postgres, pattern).await?;
        compare(
            name,
            effort.pairs,
            Limit::Disk,
            async || {
                let load = Load {
                    spread,
                    ..Load::of(CALLERS)
                };
                ours.run(load, effort).await
            },
            async || peer.run(spread, effort).await,
        )
        .await?;
        ours.check_and_stop().await?;
    }
    for callers in [100, 1_000, 8_000] {
        let ours = Ours::start(&postgres).await?;
        let bare = Bare::start(&postgres).await?;
        compare(
            &format!("ledger beside a bare insert, {callers} callers"),
            effort.pairs,
            Limit::Disk,
            async || ours.run(Load::of(callers), effort).await,
            async || bare.run(callers, effort).await,
        )
        .await?;
        ours.check_and_stop().await?;
        bare.stop().await?;
    }
    Ok(())
}
