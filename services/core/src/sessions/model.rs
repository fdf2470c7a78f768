use ferrex_ids::{SessionId, UserId};
use ferrex_time::{Duration, Timestamp};
use uuid::Uuid;

/// How often the moment a session was last seen is written down.
const SEEN_EVERY: Duration = Duration::minutes(1);

/// A logged-in session.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Session {
    /// Which, as the column holds it; see [`Self::id`].
    pub id: Uuid,
    /// Whose, as the column holds it; see [`Self::user`].
    pub user_id: Uuid,
    /// Where it was begun.
    pub address: String,
    /// What the client called itself.
    pub user_agent: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was used last, to about a minute.
    pub last_seen_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// When it was ended before its time.
    pub revoked_at: Option<Timestamp>,
}

impl Session {
    /// Which.
    pub fn id(&self) -> SessionId {
        SessionId::from_uuid(self.id)
    }

    /// Whose.
    pub fn user(&self) -> UserId {
        UserId::from_uuid(self.user_id)
    }

    /// When it ends if it is not used.
    pub fn idle_ends_at(&self, idle: Duration) -> Timestamp {
        (self.last_seen_at + idle).min(self.expires_at)
    }

    /// Whether it is good now.
    pub fn is_alive(&self, now: Timestamp, idle: Duration) -> bool {
        self.revoked_at.is_none() && now < self.idle_ends_at(idle)
    }

    /// Whether its use should be written down.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now - self.last_seen_at >= SEEN_EVERY
    }
}

/// A few words for a person about what a client calls itself, such as `Firefox on Windows`.
pub fn describe(user_agent: &str) -> String {
    // Order matters: Edge and Opera also say Chrome, Chrome also says Safari, Android also says Linux.
    let find = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find(|(mark, _)| user_agent.contains(mark))
            .map(|(_, name)| *name)
    };
    let program = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_idle_when_old_and_when_revoked() {
        let start = ferrex_time::from_micros(1_700_000_000_000_000);
        let idle = Duration::hours(1);
        let session = Session {
            id: ferrex_ids::uuid_at(1),
            user_id: ferrex_ids::uuid_at(1),
            address: String::new(),
            user_agent: String::new(),
            created_at: start,
            last_seen_at: start,
            expires_at: start + Duration::hours(3),
            revoked_at: None,
        };
        assert!(session.is_alive(start + Duration::minutes(59), idle));
        assert!(!session.is_alive(start + Duration::hours(1), idle));
        let used = Session {
            last_seen_at: start + Duration::minutes(150),
            ..session.clone()
        };
        assert!(used.is_alive(start + Duration::minutes(179), idle));
        assert!(!used.is_alive(start + Duration::hours(3), idle));
        assert!(
            !Session {
                revoked_at: Some(start),
                ..session
            }
            .is_alive(start, idle)
        );
    }

    #[test]
    fn devices_are_named_for_people() {
        let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0";
        assert_eq!(describe(agent), "Edge on Windows");
        assert_eq!(
            describe("Mozilla/5.0 (Android 14; Mobile) Firefox/120.0"),
            "Firefox on Android"
        );
        assert_eq!(describe("curl/8.5"), "curl");
        assert_eq!(describe("<script>"), "Unknown device");
    }
}
