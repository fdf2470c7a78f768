//! Runs this program under callgrind and reads what it wrote.

use std::process::Command;

use anyhow::{Context as _, bail, ensure};

/// What is counted: the functions of this name, and all they call.
const MEASURED: &str = "*measured_*";

/// Instructions a command of a stream.
pub fn count(stream: &str) -> anyhow::Result<f64> {
    let program = std::env::current_exe()?;
    let written = tempfile::NamedTempFile::new()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--dump-line=no"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", written.path().display()))
        .arg(&program)
        .args(["run", stream])
        // Else the first call of each C function goes through the loader.
        .env("LD_BIND_NOW", "1")
        .output()
        .context("starting valgrind (scripts/tools.sh valgrind installs it)")?;
    ensure!(
        output.status.success(),
        "valgrind ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let commands: u32 = String::from_utf8(output.stdout)?.trim().parse()?;
    let text = std::fs::read_to_string(written.path())?;
    let instructions = instructions_of(&text, &program.display().to_string())?;
    ensure!(instructions > 0, "callgrind saw nothing of {MEASURED}");
    Ok(f64::from(u32::try_from(instructions)?) / f64::from(commands))
}

/// Instructions in the code of one file, by callgrind's format: `ob=` lines say whose the lines of costs below are, and a
/// line of costs after `calls=` is what was called, which has lines of its own.
fn instructions_of(text: &str, program: &str) -> anyhow::Result<u64> {
    let (mut number_of_ours, mut ours, mut is_call, mut sum) = (None, false, false, 0);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("ob=").or_else(|| line.strip_prefix("cob=")) {
            let (number, name) = rest.split_once(')').context("objects are numbered")?;
            if name.trim() == program {
                number_of_ours = Some(number.to_owned());
            }
            if line.starts_with("ob=") {
                ours = number_of_ours.as_deref() == Some(number);
            }
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.split(' ').nth(1).context("a position and a cost")?;
            if ours && !is_call {
                sum += cost.parse::<u64>()?;
            }
            is_call = false;
        }
    }
    if number_of_ours.is_none() {
        bail!("callgrind names no object {program}");
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_costs_of_the_own_program_are_summed() {
        let text = "events: Ir\n\nob=(1) /lib/libc.so\nfn=(1) malloc\n0 50\n\nob=(2) /bin/us\nfn=(2) measured_x\n0 7\n\
                    cob=(1)\ncfn=(1)\ncalls=3 0\n0 150\n* 5\n\nob=(1)\nfn=(1)\n0 100\ntotals: 162\n";
        assert_eq!(instructions_of(text, "/bin/us").unwrap(), 12);
        assert!(instructions_of(text, "/bin/others").is_err());
    }
}
