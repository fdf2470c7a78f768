//! How long a transfer takes from when it was due to its durable answer, at 30 % of what was possible just before, beside
//! what the disk takes for one `fdatasync` in that run.

use std::time::Duration;

use anyhow::ensure;
use ferrex_engine_core::Outcome;
use ferrex_testkit::Postgres;

use super::CALLERS;
use super::load::{ACCOUNTS, Load, Spread, Tally, transfer};
use super::ours::Ours;
use crate::effort::Effort;
use crate::latency::Latencies;
use crate::{open_loop, probe};

/// Part of the maximum at which latency is measured.
const SHARE: f64 = 0.3;
/// What is wanted of the p99: at most so many times that of an `fdatasync`, and so much on top.
const TIMES: u32 = 3;
const ON_TOP: Duration = Duration::from_millis(3);

/// Runs it as often as there would be pairs.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let postgres = Postgres::for_load().await;
    let ours = Ours::start(&postgres).await?;
    println!("ack latency on {}", probe::machine());
    let (mut within, mut counted) = (0, 0);
    for round in 1..=2 * effort.pairs {
        if counted == effort.pairs {
            break;
        }
        let most = ours.run(Load::of(CALLERS), effort).await?.rate();
        let before = probe::fdatasyncs()?;
        let beside = probe::Beside::start();
        let latencies = at(&ours, most * SHARE, effort).await?;
        let beside = Latencies::from(beside.stop()?);
        let after = probe::fdatasyncs()?;
        let rates = (probe::rate(&before), probe::rate(&after));
        let (p99, disk) = (latencies.at(990), beside.at(990));
        let most_wanted = disk * TIMES + ON_TOP;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let kept = probe::alike(Some(rates.0), Some(rates.1));
        println!(
            "  {round} {:.0}/s of {most:.0}/s: {latencies}; fdatasync in the run {beside}, alone p99 {:.2} and {:.2} ms ({:.0}/s \
             before and {:.0}/s after), so at most {:.2} ms are wanted: {:.2} of it{}",
            most * SHARE,
            ms(Latencies::from(before).at(990)),
            ms(Latencies::from(after).at(990)),
            rates.0,
            rates.1,
            ms(most_wanted),
            ms(p99) / ms(most_wanted),
            if kept {
                ""
            } else {
                ": dropped, the probes differ by more than a quarter"
            },
        );
        if kept {
            counted += 1;
            within += usize::from(p99 <= most_wanted);
        }
    }
    ours.check_and_stop().await?;
    println!("ack latency: {within} of {counted} within what is wanted\n");
    Ok(())
}

/// Transfers at a rate.
async fn at(ours: &Ours, per_second: f64, effort: Effort) -> anyhow::Result<Latencies> {
    let (client, before) = (ours.client.clone(), ours.end_of_journal().await?);
    let seen = open_loop::run(per_second, effort, move |_| {
        let client = client.clone();
        async move {
            let (payer, payee) = Spread::Uniform.pick(ACCOUNTS, &mut rand::rng());
            let outcome = client.submit(transfer(payer, payee, 1)).await?;
            ensure!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
            Ok(())
        }
    })
    .await?;
    let applied = u64::try_from(seen.answers.len())?;
    ours.check(
        before,
        Tally {
            answered: applied,
            applied,
            refused: 0,
        },
    )
    .await?;
    Ok(seen.latencies)
}
