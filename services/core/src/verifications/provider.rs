//! What the identity provider sends as the body of a webhook of source `identity`: an [`IdentityEvent`]. Its `reference` is
//! the id of the submission that the provider was asked about; `version` counts its decisions about one applicant. Other
//! types, and fields that are not known, are ignored, since a provider adds them without asking.

use ferrex_contracts::Decision;
use ferrex_contracts::webhooks::{IDENTITY_DECIDED, IdentityEvent};
use ferrex_ids::VerificationId;
use serde_json::Value;

use super::Error;

const REASON_CHARS_MAX: usize = 500;
const APPLICANT_CHARS_MAX: usize = 200;

/// What the provider found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The person is who they say.
    Approved,
    /// Why not.
    Rejected(String),
}

/// A decision of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEvent {
    /// The submission it is about.
    pub verification: VerificationId,
    /// The provider's id of the case.
    pub applicant: String,
    /// Which decision about that case, from 1.
    pub version: u32,
    /// What was found.
    pub verdict: Verdict,
}

impl ProviderEvent {
    /// Reads the body of a webhook; `None` when it is of a type that does not concern us.
    pub fn read(body: &str) -> Result<Option<Self>, Error> {
        let unreadable = |error: serde_json::Error| Error::Unreadable(error.to_string());
        let value: Value = serde_json::from_str(body).map_err(unreadable)?;
        if value.get("type").and_then(Value::as_str) != Some(IDENTITY_DECIDED) {
            return Ok(None);
        }
        let decided = serde_json::from_value::<IdentityEvent>(value)
            .map_err(unreadable)?
            .data;
        let verification = decided
            .reference
            .parse()
            .map_err(|error: ferrex_ids::IdError| Error::Unreadable(format!("reference: {error}")))?;
        let known = (1..=APPLICANT_CHARS_MAX).contains(&decided.applicant.chars().count());
        if !known || decided.applicant.chars().any(char::is_control) {
            return Err(Error::Unreadable(
                "applicant: 1 to 200 visible characters".to_owned(),
            ));
        }
        let verdict = match decided.decision {
            Decision::Approve => Verdict::Approved,
            Decision::Reject => {
                let reason = Some(clean(&decided.reason)).filter(|reason| !reason.is_empty());
                Verdict::Rejected(reason.unwrap_or_else(|| "the identity could not be verified".to_owned()))
            }
        };
        Ok(Some(Self {
            verification,
            applicant: decided.applicant,
            version: decided.version,
            verdict,
        }))
    }
}

/// A foreign text, as it may be shown: one line, cut.
fn clean(text: &str) -> String {
    let letters = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    letters
        .take(REASON_CHARS_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(verification: VerificationId, decision: &str) -> Value {
        serde_json::json!({
            "type": IDENTITY_DECIDED, "timestamp": "2026-11-23T10:00:00Z", "sequence": 7,
            "data": {
                "applicant": "app_1", "reference": verification, "version": 3, "decision": decision,
                "reason": " bad\nphoto ", "score": 0.5,
            },
        })
    }

    fn read(body: &Value) -> Result<Option<ProviderEvent>, Error> {
        ProviderEvent::read(&body.to_string())
    }

    #[test]
    fn decisions_are_read_and_other_types_ignored() {
        let verification = VerificationId::new_at(1_800_000_000_000);
        let event = read(&body(verification, "reject")).unwrap().unwrap();
        assert_eq!(event.verdict, Verdict::Rejected("bad photo".into()));
        assert_eq!(
            (event.verification, &*event.applicant, event.version),
            (verification, "app_1", 3)
        );
        assert_eq!(
            read(&body(verification, "approve")).unwrap().unwrap().verdict,
            Verdict::Approved
        );
        let mut other = body(verification, "approve");
        other["type"] = "applicant.created".into();
        assert_eq!(read(&other).unwrap(), None);
    }

    #[test]
    fn a109_hostile_bodies_are_refused() {
        let good = body(VerificationId::new_at(1), "approve");
        assert!(read(&good).unwrap().is_some());
        for (field, value) in [
            ("reference", Value::from("usr_00000000000000000000000000")),
            ("reference", Value::Null),
            ("decision", "yes".into()),
            ("decision", true.into()),
            ("reason", 5.into()),
            ("version", (-1).into()),
            ("version", 1.5.into()),
            ("version", 5_000_000_000u64.into()),
            ("applicant", "".into()),
            ("applicant", "a\u{0}b".into()),
            ("applicant", "a".repeat(201).into()),
        ] {
            let mut bad = good.clone();
            bad["data"][field] = value.clone();
            assert!(
                matches!(read(&bad), Err(Error::Unreadable(_))),
                "{field} = {value}"
            );
        }
        assert!(ProviderEvent::read("{").is_err());
        assert!(ProviderEvent::read("[]").unwrap().is_none());
    }
}
