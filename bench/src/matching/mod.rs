//! Matching on one core. Ours is the whole engine: money, fees, idempotency and journal rows of every command. Beside it a
//! bare ladder that only matches, the crates `matchcore` and `lobster`, which know no money either, and exchange-core, which does.
//!
//! The stream has the mix that exchange-core publishes for its own figures: of 100 commands 9 place, 3 place and never
//! rest, 6 cancel and 82 move an order. All take the same stream, prepared before the clock starts (ours but for its last step,
//! in which a command is made of what was asked), and must come to the same trades.

mod exchange_core;
mod ladder;
mod ours;
mod peers;
mod stream;

use std::time::Instant;

use anyhow::ensure;

use self::stream::{Stream, Totals};
use crate::cpu::Meter;
use crate::effort::Effort;
use crate::pairs::{Limit, Run, compare};

/// A book that has its commands in its own form, ready to run.
trait Prepared {
    /// Runs them all.
    fn run(&mut self) -> anyhow::Result<Totals>;
}

fn timed(name: &str, mut book: impl Prepared, stream: &Stream) -> anyhow::Result<Run> {
    let (meter, started) = (Meter::start()?, Instant::now());
    let totals = book.run()?;
    let took = started.elapsed();
    ensure!(
        totals == stream.totals,
        "{name} came to {totals:?} and should have come to {:?}",
        stream.totals
    );
    Ok(Run {
        count: u64::try_from(stream.commands.len())?,
        took,
        cpu: meter.stop()?,
        note: String::new(),
    })
}

/// Runs the comparisons.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let stream = Stream::new(20_260);
    println!(
        "matching: {} commands, {} trades",
        stream.commands.len(),
        stream.totals.trades
    );
    let ours = async || timed("the engine", ours::Ours::new(&stream)?, &stream);
    compare(
        "matching beside a bare ladder",
        effort.pairs,
        Limit::None,
        ours,
        async || timed("the bare ladder", ladder::Replay::new(&stream), &stream),
    )
    .await?;
    compare(
        "matching beside matchcore",
        effort.pairs,
        Limit::None,
        ours,
        async || timed("matchcore", peers::Matchcore::new(&stream), &stream),
    )
    .await?;
    compare(
        "matching beside lobster",
        effort.pairs,
        Limit::None,
        ours,
        async || timed("lobster", peers::Lobster::new(&stream), &stream),
    )
    .await?;
    for (cores, core) in [("on one core", Some(1)), ("on both cores", None)] {
        let mut peer = exchange_core::ExchangeCore::start(&stream, core)?;
        compare(
            &format!("matching beside exchange-core {cores}"),
            effort.pairs,
            Limit::None,
            ours,
            async || timed("exchange-core", peer.prepare()?, &stream),
        )
        .await?;
    }
    Ok(())
}
