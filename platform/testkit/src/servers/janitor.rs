use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The pipe to a small shell script that lives until this process has ended in whatever way, then ends the servers
/// and removes the directories it was told of. Nothing in this process has to run for that, so it also works after
/// a panic in a static, `abort`, or `kill -9`.
static JANITOR: OnceLock<Mutex<ChildStdin>> = OnceLock::new();

fn tell(line: &str) {
    let janitor = JANITOR.get_or_init(|| {
        #[expect(
            clippy::zombie_processes,
            reason = "it outlives this process, so there is nobody to wait for it"
        )]
        let mut child = Command::new("sh")
            .args(["-c", include_str!("janitor.sh"), "ferrex-janitor"])
            .stdin(Stdio::piped())
            // It must not keep our caller's pipes open.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C on the terminal is for us, not for it.
            .process_group(0)
            .current_dir("/")
            .spawn()
            .expect("every system has sh");
        Mutex::new(child.stdin.take().expect("its standard input is a pipe"))
    });
    let mut pipe = janitor.lock().unwrap_or_else(PoisonError::into_inner);
    // It ignores every signal that asks politely; if it was killed all the same, there is nobody to tell.
    let _ = writeln!(pipe, "{line}");
}

/// Removes a directory when this process has ended.
pub fn remove_at_end(dir: &Path) {
    tell(&format!("dir {}", dir.display()));
}

/// How a process is ended when its starter is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Farewell {
    /// The signal's name, without SIG.
    pub(crate) signal: &'static str,
    /// How long it may take before it is killed; 0 kills it at once.
    pub(crate) seconds: u32,
}

impl Farewell {
    /// Nothing of it is kept.
    pub(crate) const KILL: Self = Self {
        signal: "KILL",
        seconds: 0,
    };
}

pub(crate) fn watch(pid: u32, farewell: Farewell) {
    if let Some(start) = start_time(pid) {
        tell(&format!(
            "pid {pid} {start} {} {}",
            farewell.signal, farewell.seconds
        ));
    }
}

pub(crate) fn forget(pid: u32) {
    tell(&format!("gone {pid}"));
}

/// Field 22 of `/proc/<pid>/stat`, which together with the number names a process for ever.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19).map(str::to_owned)
}
