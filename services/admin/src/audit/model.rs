use ferrex_ids::{AuditEntryId, StaffId};
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::secrets::Keys;

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outcome {
    /// It is about to be asked for.
    Attempted,
    /// It happened.
    Done,
    /// It was refused and did not happen.
    Refused,
    /// No answer came; whether it happened is not known.
    Unknown,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Attempted => "attempted",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// An entry that is not yet in the chain.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Who; `None` for the system, or for a stranger.
    pub actor: Option<StaffId>,
    /// The name of who, kept as it was then.
    pub actor_name: String,
    /// What, such as `verification.approve`.
    pub action: String,
    /// To what, by its id.
    pub subject: String,
    /// Why.
    pub reason: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The entry of the attempt whose outcome this is.
    pub attempt: Option<AuditEntryId>,
    /// The subject before, as JSON.
    pub before: Option<String>,
    /// The subject after (or the refusal's code), as JSON.
    pub after: Option<String>,
}

/// An entry of the chain.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place, from 1 on without gaps.
    pub sequence: i64,
    /// Its name.
    pub id: AuditEntryId,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub content: NewEntry,
    /// The hash of the entry before; empty for the first.
    pub previous_hash: Vec<u8>,
    /// Its own hash.
    pub hash: Vec<u8>,
}

impl Entry {
    /// The hash that this entry should have.
    pub(super) fn expected_hash(&self, keys: &Keys) -> Vec<u8> {
        let content = &self.content;
        let mut bytes = Canonical::default();
        bytes.part(Some(b"ferrex audit entry 1"));
        bytes.part(Some(&self.sequence.to_be_bytes()));
        bytes.part(Some(self.id.uuid().as_bytes()));
        bytes.part(Some(&self.at.timestamp_micros().to_be_bytes()));
        bytes.part(
            content
                .actor
                .map(StaffId::uuid)
                .as_ref()
                .map(|uuid| uuid.as_bytes().as_slice()),
        );
        bytes.part(Some(content.actor_name.as_bytes()));
        bytes.part(Some(content.action.as_bytes()));
        bytes.part(Some(content.subject.as_bytes()));
        bytes.part(content.reason.as_deref().map(str::as_bytes));
        bytes.part(content.request_id.as_deref().map(str::as_bytes));
        bytes.part(Some(content.outcome.name().as_bytes()));
        bytes.part(
            content
                .attempt
                .map(AuditEntryId::uuid)
                .as_ref()
                .map(|uuid| uuid.as_bytes().as_slice()),
        );
        bytes.part(content.before.as_deref().map(str::as_bytes));
        bytes.part(content.after.as_deref().map(str::as_bytes));
        bytes.part(Some(&self.previous_hash));
        keys.audit(&bytes.0)
    }
}

/// Parts with their lengths, so that no two different entries give the same bytes.
#[derive(Default)]
struct Canonical(Vec<u8>);

impl Canonical {
    fn part(&mut self, part: Option<&[u8]>) {
        match part {
            None => self.0.push(0),
            Some(part) => {
                self.0.push(1);
                self.0.extend((part.len() as u64).to_be_bytes());
                self.0.extend(part);
            }
        }
    }
}

/// What a verification of the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Entries that were looked at.
    pub entries: i64,
    /// The first fault; `None` when the chain is whole.
    pub broken: Option<Broken>,
}

/// The first fault of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is not the one that was written.
    #[error("entry {sequence} was changed")]
    Changed {
        /// Its place.
        sequence: i64,
    },
    /// An entry does not follow the one before it.
    #[error("entry {sequence} does not follow the one before it: one was removed, inserted or moved")]
    Unlinked {
        /// Its place.
        sequence: i64,
    },
    /// The chain ends elsewhere than its head says.
    #[error("the log ends with entry {found}, it should end with {expected}")]
    End {
        /// Last entry there is.
        found: i64,
        /// Last entry according to the head.
        expected: i64,
    },
}

/// Follows a chain entry by entry.
pub(super) struct Follower<'a> {
    keys: &'a Keys,
    pub(super) sequence: i64,
    pub(super) hash: Vec<u8>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(keys: &'a Keys) -> Self {
        Self {
            keys,
            sequence: 0,
            hash: Vec::new(),
        }
    }

    pub(super) fn follow(&mut self, entry: &Entry) -> Result<(), Broken> {
        let sequence = entry.sequence;
        if sequence != self.sequence + 1 || entry.previous_hash != self.hash {
            return Err(Broken::Unlinked { sequence });
        }
        if entry.expected_hash(self.keys) != entry.hash {
            return Err(Broken::Changed { sequence });
        }
        self.sequence = sequence;
        self.hash.clone_from(&entry.hash);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn keys() -> Keys {
        Keys::try_new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap()
    }

    fn chain(keys: &Keys, length: i64) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for sequence in 1..=length {
            let content = NewEntry {
                actor: Some(StaffId::new_at(5)),
                actor_name: "olga".into(),
                action: "user.freeze".into(),
                subject: format!("usr_{sequence}"),
                reason: Some("asked by the police".into()),
                request_id: None,
                outcome: Outcome::Done,
                attempt: None,
                before: None,
                after: Some("{}".into()),
            };
            let previous_hash = entries.last().map(|entry| entry.hash.clone()).unwrap_or_default();
            let (id, at) = (AuditEntryId::new_at(7), ferrex_time::from_micros(sequence));
            let mut entry = Entry {
                sequence,
                id,
                at,
                content,
                previous_hash,
                hash: Vec::new(),
            };
            entry.hash = entry.expected_hash(keys);
            entries.push(entry);
        }
        entries
    }

    fn verdict(keys: &Keys, entries: &[Entry]) -> Result<(), Broken> {
        let mut follower = Follower::new(keys);
        entries.iter().try_for_each(|entry| follower.follow(entry))
    }

    #[test]
    fn a092_any_change_of_an_entry_is_found() {
        let keys = keys();
        let changes: [fn(&mut Entry); 10] = [
            |entry| entry.at = ferrex_time::from_micros(999),
            |entry| entry.content.actor = None,
            |entry| entry.content.actor_name.push('x'),
            |entry| entry.content.action = "user.unfreeze".into(),
            |entry| entry.content.subject.push('x'),
            |entry| entry.content.reason = None,
            |entry| entry.content.request_id = Some(String::new()),
            |entry| entry.content.outcome = Outcome::Refused,
            |entry| entry.content.before = Some(String::new()),
            |entry| entry.id = AuditEntryId::new_at(8),
        ];
        for change in changes {
            let mut entries = chain(&keys, 3);
            assert_eq!(verdict(&keys, &entries), Ok(()));
            change(&mut entries[1]);
            assert_eq!(verdict(&keys, &entries), Err(Broken::Changed { sequence: 2 }));
        }
    }

    #[test]
    fn a093_removed_moved_and_inserted_entries_are_found() {
        let keys = keys();
        let whole = chain(&keys, 4);
        let removed = [whole[0].clone(), whole[2].clone()];
        assert_eq!(verdict(&keys, &removed), Err(Broken::Unlinked { sequence: 3 }));
        let moved = [whole[1].clone(), whole[0].clone()];
        assert_eq!(verdict(&keys, &moved), Err(Broken::Unlinked { sequence: 2 }));
        let mut inserted = whole[1].clone();
        inserted.sequence = 3;
        let inserted = [whole[0].clone(), whole[1].clone(), inserted];
        assert_eq!(verdict(&keys, &inserted), Err(Broken::Unlinked { sequence: 3 }));
    }

    #[test]
    fn without_the_key_nobody_writes_a_chain_that_verifies() {
        let others = Keys::try_new(&SecretString::from("another root key, quite as long as that")).unwrap();
        assert_eq!(
            verdict(&keys(), &chain(&others, 1)),
            Err(Broken::Changed { sequence: 1 })
        );
    }
}
