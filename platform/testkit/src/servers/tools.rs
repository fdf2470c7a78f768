use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// Where `scripts/tools.sh` puts what it fetches.
pub fn tools_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("FERREX_TOOLS") {
        return dir.into();
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    home.join(".cache/ferrex/tools")
}

/// A file that `scripts/tools.sh <part>` brings.
pub(crate) fn fetched(name: &str, part: &'static str) -> Result<PathBuf, Error> {
    let path = tools_dir().join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(Error::Missing {
            program: path.display().to_string(),
            part,
        })
    }
}

/// The directory of the newest PostgreSQL server's programs.
pub(crate) fn postgres_programs() -> Result<PathBuf, Error> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs.join("initdb").exists().then_some((version, programs))
        })
        .collect();
    found.sort();
    found
        .pop()
        .map(|(_, programs)| programs)
        .ok_or_else(|| Error::Missing {
            program: "the PostgreSQL server".into(),
            part: "postgres",
        })
}

/// The system user that runs PostgreSQL for us: PostgreSQL refuses to run as root.
pub(crate) struct PostgresUser {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl PostgresUser {
    /// `None` when we are an ordinary user ourselves.
    pub(crate) fn needed() -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").map_err(Error::io("reading /etc/passwd"))?;
        let entry = passwd.lines().find_map(|line| {
            let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
            let uid = fields.next()?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(Self { uid, gid })
        });
        entry.map(Some).ok_or_else(|| Error::Missing {
            program: "the system user postgres".into(),
            part: "postgres",
        })
    }
}

/// A command that runs `program` as the user PostgreSQL needs.
pub(crate) fn as_postgres(user: Option<&PostgresUser>, program: &Path) -> Command {
    let Some(user) = user else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={}", user.uid))
        .arg(format!("--regid={}", user.gid))
        .arg("--clear-groups")
        .arg("--")
        .arg(program);
    command
}

/// Whether the user that PostgreSQL runs as can enter `dir` (a checkout below `/root` it cannot).
pub fn postgres_can_reach(dir: &Path) -> Result<bool, Error> {
    let Some(user) = PostgresUser::needed()? else {
        return Ok(true);
    };
    let status = as_postgres(Some(&user), Path::new("test"))
        .arg("-x")
        .arg(dir)
        .status()
        .map_err(Error::io("asking whether postgres can enter its directory"))?;
    Ok(status.success())
}
