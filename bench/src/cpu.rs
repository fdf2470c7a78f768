//! CPU seconds of this process and of what it started, by program.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use anyhow::Context as _;

/// Ticks a second in `/proc`; fixed at 100 for every Linux that this runs on.
const TICKS: f64 = 100.0;

/// CPU seconds by program; this process goes by the name `bench`.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    seconds: BTreeMap<String, f64>,
}

impl Cpu {
    /// Of all programs together.
    pub fn total(&self) -> f64 {
        self.seconds.values().sum()
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Less than one tick is nothing.
        for (count, (program, seconds)) in self
            .seconds
            .iter()
            .filter(|(_, seconds)| **seconds >= 0.05)
            .enumerate()
        {
            let comma = if count == 0 { "" } else { ", " };
            write!(f, "{comma}{program} {seconds:.1}")?;
        }
        Ok(())
    }
}

/// Measures from its start to [`Meter::stop`].
#[derive(Debug)]
pub struct Meter {
    before: Cpu,
}

impl Meter {
    /// Begins.
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self { before: used()? })
    }

    /// What was used since.
    pub fn stop(&self) -> anyhow::Result<Cpu> {
        let mut used = used()?;
        for (program, seconds) in &mut used.seconds {
            *seconds -= self.before.seconds.get(program).copied().unwrap_or(0.0);
        }
        Ok(used)
    }
}

/// One line of `/proc/<pid>/stat`, as far as it matters.
struct Process {
    program: String,
    parent: u32,
    own: f64,
    /// Of children that have ended and were waited for, such as PostgreSQL's backends.
    children: f64,
}

fn used() -> anyhow::Result<Cpu> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // One that ended meanwhile is not there any more; its parent has its time.
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) {
            processes.insert(
                pid,
                parse(&text).with_context(|| format!("reading the times of process {pid}"))?,
            );
        }
    }
    let me = std::process::id();
    let mut cpu = Cpu::default();
    for (pid, process) in &processes {
        if *pid == me {
            *cpu.seconds.entry("bench".to_owned()).or_default() += process.own;
        } else if descends(&processes, *pid, me) {
            *cpu.seconds.entry(process.program.clone()).or_default() += process.own + process.children;
        }
    }
    Ok(cpu)
}

fn descends(processes: &BTreeMap<u32, Process>, mut pid: u32, ancestor: u32) -> bool {
    while let Some(process) = processes.get(&pid) {
        if process.parent == ancestor {
            return true;
        }
        pid = process.parent;
    }
    false
}

fn parse(stat: &str) -> Option<Process> {
    // The name may hold anything, brackets included.
    let (_, rest) = stat.split_once('(')?;
    let (program, rest) = rest.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let seconds = |place: usize| Some(fields.get(place)?.parse::<f64>().ok()? / TICKS);
    Some(Process {
        program: program.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        own: seconds(11)? + seconds(12)?,
        children: seconds(13)? + seconds(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_whatever_the_name_holds() {
        let process =
            parse("7 (a) (b) S 3 7 7 0 -1 4194560 0 0 0 0 150 50 25 75 20 0 1 0").expect("it is whole");
        assert_eq!((process.program.as_str(), process.parent), ("a) (b", 3));
        assert!((process.own - 2.0).abs() < 1e-9 && (process.children - 1.0).abs() < 1e-9);
    }

    #[test]
    fn work_of_this_process_is_seen() {
        let meter = Meter::start().expect("/proc can be read");
        let mut sum = 0u64;
        // However little of the processor it is given: until it is seen, and no further than takes seconds.
        let seen = (0..400).any(|_| {
            for _ in 0..10_000_000 {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
            meter.stop().expect("/proc can be read").total() > 0.05
        });
        assert!(seen, "{sum} additions took no time");
    }
}
