//! One role from its start until it is ready, and its memory when it was left alone: `payment` as a process of its own, with
//! all others running, beside the orders service in NestJS, which does a part of what the role does.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use ferrex_dev::plan::Shape;
use ferrex_dev::system::System;
use ferrex_testkit::servers::free_port;

use crate::effort::Effort;
use crate::footprint::{Memory, ready};
use crate::http::Tokens;
use crate::orders;
use crate::probe;
use crate::program::{Nest, Program};

const ROLE: &str = "payment";

/// Milliseconds until it was ready, and MiB resident after it was left alone.
struct Seen {
    ready: f64,
    resident: f64,
}

/// Starts both in turn, A B B A, then leaves each alone.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let dir = tempfile::Builder::new()
        .prefix("ferrex-bench-")
        // PostgreSQL runs as its own user when root starts it.
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()?;
    let mut system = orders::start(&dir, Shape::Split).await?;
    let (nest, key) = (Nest::build()?, Tokens::new()?.key());
    let url = orders::superuser_url(&system, "ferrex")?;
    let idle = Duration::from_secs(if effort.is_quick() { 3 } else { 20 });
    println!("start of one role on {}", probe::machine());
    let (mut times, mut memories) = (Vec::new(), Vec::new());
    for pair in 0..effort.pairs {
        let (ours, peer) = if pair % 2 == 0 {
            let ours = start_ours(&mut system, idle).await?;
            (ours, start_peer(&nest, &key, &url, idle).await?)
        } else {
            let peer = start_peer(&nest, &key, &url, idle).await?;
            (start_ours(&mut system, idle).await?, peer)
        };
        times.push(peer.ready / ours.ready);
        memories.push(ours.resident / peer.resident);
        println!(
            "  {} ours ready after {:.0} ms, idle {:.1} MiB; peer {:.0} ms, {:.1} MiB: {:.1} times as fast, {:.2} of the memory",
            pair + 1,
            ours.ready,
            ours.resident,
            peer.ready,
            peer.resident,
            peer.ready / ours.ready,
            ours.resident / peer.resident
        );
    }
    times.sort_by(f64::total_cmp);
    memories.sort_by(f64::total_cmp);
    println!(
        "start: median {:.1} times as fast, worst {:.1}; memory median {:.2}, worst {:.2}\n",
        times[times.len() / 2],
        times[0],
        memories[memories.len() / 2],
        memories[memories.len() - 1]
    );
    system.stop().await
}

async fn start_ours(system: &mut System, idle: Duration) -> anyhow::Result<Seen> {
    system.stop_process(ROLE).await?;
    let begin = Instant::now();
    system.start_process(ROLE, &[]).await?;
    ready(&system.operations_of(ROLE)?).await?;
    let took = begin.elapsed();
    seen(took, idle, system.pid_of(ROLE)?).await
}

async fn start_peer(nest: &Nest, key: &str, url: &str, idle: Duration) -> anyhow::Result<Seen> {
    let port = free_port();
    let mut command = nest.program(None, "orders", port, key);
    command.env("DATABASE_URL", url);
    let begin = Instant::now();
    let program = Program::launch("orders in NestJS", command)?;
    ready(&format!("http://127.0.0.1:{port}")).await?;
    let seen = seen(begin.elapsed(), idle, program.pid()).await?;
    program.stop().await?;
    Ok(seen)
}

async fn seen(took: Duration, idle: Duration, pid: u32) -> anyhow::Result<Seen> {
    tokio::time::sleep(idle).await;
    Ok(Seen {
        ready: took.as_secs_f64() * 1e3,
        resident: Memory::of(pid)?.resident,
    })
}
