//! `make instructions`: how many instructions a command takes, counted by callgrind and held against the committed counts.
//!
//! Time on a shared machine says little; the number of instructions repeats. Each stream of commands is the same at every
//! run and is counted in a process of its own, without what prepares it. Only instructions of this program count (the
//! kernels and what the compiler links into them): the C library chooses its `memcpy` by the processor, and its allocator
//! is not the one that is shipped. What still moves is the standard library's hash maps, whose seed is random: a few per mille.
//!
//! The counts are of one compiler and one architecture; `counts-<architecture>.txt` says which. With `--write` they are
//! written anew, which belongs into the commit that moves them.
//!
//! To add a stream: a line in [`streams::STREAMS`], then `make instructions UPDATE=1`.

mod callgrind;
mod making;
mod streams;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail, ensure};

use crate::streams::STREAMS;

/// By how many per mille a count may move.
const MAY_MOVE: f64 = 20.0;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => check(),
        ["--write"] => write(),
        ["run", name] => {
            let (_, run) = STREAMS
                .iter()
                .find(|(known, _)| *known == name)
                .context("no such stream")?;
            println!("{}", run()?);
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("usage: ferrex-instructions [--write]"),
    }
}

/// Instructions a command, by stream.
fn count() -> anyhow::Result<BTreeMap<String, f64>> {
    STREAMS
        .iter()
        .map(|(name, _)| {
            let count = callgrind::count(name).with_context(|| format!("counting {name}"))?;
            Ok(((*name).to_owned(), count))
        })
        .collect()
}

fn check() -> anyhow::Result<ExitCode> {
    let file = file();
    if !file.exists() {
        println!("no instructions are counted: {} is not there", file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let (compiler, wanted) = read(&text)?;
    ensure!(
        compiler == self::compiler()?,
        "{} is of {compiler}, this is {}: count anew with `make instructions UPDATE=1`",
        file.display(),
        self::compiler()?
    );
    let seen = count()?;
    ensure!(
        seen.keys().eq(wanted.keys()),
        "{} has other streams: count anew with `make instructions UPDATE=1`",
        file.display()
    );
    let mut moved = 0;
    for ((name, seen), wanted) in seen.iter().zip(wanted.values()) {
        let by = (seen / wanted - 1.0) * 1_000.0;
        let bad = by.abs() > MAY_MOVE;
        moved += usize::from(bad);
        println!(
            "{name:<16} {seen:>8.1} instructions a command, {wanted:>8.1} are committed, {by:+.1} per mille{}",
            if bad { ": MOVED" } else { "" }
        );
    }
    if moved > 0 {
        println!(
            "{moved} moved by more than {MAY_MOVE} per mille; if that is meant: make instructions UPDATE=1"
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn write() -> anyhow::Result<ExitCode> {
    let mut text = format!("# {}\n# instructions a command; see src/main.rs\n", compiler()?);
    for (name, count) in count()? {
        writeln!(text, "{name} {count:.1}")?;
    }
    print!("{text}");
    std::fs::write(file(), text)?;
    Ok(ExitCode::SUCCESS)
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("counts-{}.txt", std::env::consts::ARCH))
}

/// The compiler's version, as the toolchain file of this repository chooses it.
fn compiler() -> anyhow::Result<String> {
    let output = Command::new("rustc")
        .arg("--version")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .context("asking rustc for its version")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The compiler and the counts of a file.
fn read(text: &str) -> anyhow::Result<(String, BTreeMap<String, f64>)> {
    let compiler = text.lines().next().and_then(|line| line.strip_prefix("# "));
    let counts = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, count) = line
            .split_once(' ')
            .with_context(|| format!("a line without a count: {line}"))?;
        Ok((name.to_owned(), count.parse()?))
    });
    Ok((
        compiler.context("the first line names the compiler")?.to_owned(),
        counts.collect::<anyhow::Result<_>>()?,
    ))
}
