//! Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, in base64, in a list of `v1,…`.
//!
//! Written by hand over the bytes as they came (H068); the tests check it against the official library.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ferrex_time::{Timestamp, from_micros};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// The longest id of an event.
const ID_CHARS_MAX: usize = 255;
/// More signatures than a sender has secrets help nobody but an attacker.
const SIGNATURES_MAX: usize = 10;
/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 24;

/// The three signed headers, as they came; an absent one is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed<'a> {
    pub(crate) id: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) signatures: &'a str,
}

/// Why a signature does not hold. The sender's operator learns which, since guessing is no way to get past any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is missing or malformed.
    #[error(
        "send webhook-id (1 to 255 visible ASCII characters), webhook-timestamp (Unix seconds) and webhook-signature"
    )]
    Headers,
    /// No signature is right for any of the secrets.
    #[error("the signature is not right for these bytes")]
    Signature,
    /// The signature is right and the timestamp too far from our clock.
    #[error("the timestamp is too far from our clock")]
    Timestamp,
}

impl Refusal {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Headers => "webhooks.signature.headers",
            Self::Signature => "webhooks.signature.wrong",
            Self::Timestamp => "webhooks.signature.timestamp",
        }
    }
}

/// A secret that a source signs with.
#[derive(Clone)]
pub(crate) struct Secret(Hmac<Sha256>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads `whsec_` and base64; none if it is not that or too short.
    pub(crate) fn parse(text: &SecretString) -> Option<Self> {
        let key = STANDARD
            .decode(text.expose_secret().strip_prefix("whsec_")?)
            .ok()?;
        if key.len() < SECRET_BYTES_MIN {
            return None;
        }
        Hmac::new_from_slice(&key).ok().map(Self)
    }

    fn is_right(&self, signed: Signed<'_>, body: &[u8], signature: &[u8]) -> bool {
        let mut mac = self.0.clone();
        for part in [
            signed.id.as_bytes(),
            b".",
            signed.timestamp.as_bytes(),
            b".",
            body,
        ] {
            mac.update(part);
        }
        // Compares in constant time.
        mac.verify_slice(signature).is_ok()
    }
}

/// Checks headers and signature, and answers the signed time. The tolerance is checked by [`check_age`].
pub(crate) fn verify(signed: Signed<'_>, body: &[u8], secrets: &[Secret]) -> Result<Timestamp, Refusal> {
    let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if signed.id.is_empty()
        || signed.id.len() > ID_CHARS_MAX
        || !visible(signed.id)
        || signed.signatures.is_empty()
    {
        return Err(Refusal::Headers);
    }
    let digits = signed.timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = signed
        .timestamp
        .parse()
        .ok()
        .filter(|_| digits)
        .ok_or(Refusal::Headers)?;
    let moment = seconds
        .checked_mul(1_000_000)
        .map(from_micros)
        .ok_or(Refusal::Headers)?;
    let right = signed
        .signatures
        .split(' ')
        .take(SIGNATURES_MAX)
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .any(|signature| {
            secrets
                .iter()
                .any(|secret| secret.is_right(signed, body, &signature))
        });
    if right {
        Ok(moment)
    } else {
        Err(Refusal::Signature)
    }
}

/// Refuses a signed time that is further from `now` than `tolerance_seconds`, in either direction.
pub(crate) fn check_age(moment: Timestamp, now: Timestamp, tolerance_seconds: u32) -> Result<(), Refusal> {
    let distance = now.signed_duration_since(moment).num_seconds().unsigned_abs();
    if distance <= u64::from(tolerance_seconds) {
        Ok(())
    } else {
        Err(Refusal::Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use ferrex_time::Duration;
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "whsec_b2xkLXNlY3JldC1vZi10aGUtc291cmNlLTAwMDE=";
    const NEW: &str = "whsec_bmV3LXNlY3JldC1vZi10aGUtc291cmNlLTAwMDI=";
    const AT: i64 = 1_800_000_000;

    fn secrets(texts: &[&str]) -> Vec<Secret> {
        texts
            .iter()
            .map(|text| Secret::parse(&SecretString::from(*text)).unwrap())
            .collect()
    }

    /// As the official library signs.
    fn sign(secret: &str, id: &str, at: i64, body: &[u8]) -> String {
        standardwebhooks::Webhook::new(secret)
            .unwrap()
            .sign(id, at, body)
            .unwrap()
    }

    fn check(signatures: &str, at: &str, body: &[u8], known: &[&str]) -> Result<Timestamp, Refusal> {
        verify(
            Signed {
                id: "evt_1",
                timestamp: at,
                signatures,
            },
            body,
            &secrets(known),
        )
    }

    #[test]
    fn what_the_official_library_signs_is_accepted() {
        let body = br#"{ "a":1,  "b":2 }"#;
        let signature = sign(OLD, "evt_1", AT, body);
        assert_eq!(
            check(&signature, &AT.to_string(), body, &[OLD]),
            Ok(from_micros(AT * 1_000_000))
        );
    }

    #[test]
    fn h068_the_signature_is_over_the_raw_bytes() {
        let signature = sign(OLD, "evt_1", AT, br#"{"a":1,"b":2}"#);
        for body in [
            &br#"{"b":2,"a":1}"#[..],
            br#"{"a":1, "b":2}"#,
            br#"{"a":1,"b":2} "#,
            b"",
        ] {
            assert_eq!(
                check(&signature, &AT.to_string(), body, &[OLD]),
                Err(Refusal::Signature)
            );
        }
    }

    #[test]
    fn h069_both_secrets_hold_during_a_rotation_and_a_foreign_one_never() {
        let (by_old, by_new) = (sign(OLD, "evt_1", AT, b"x"), sign(NEW, "evt_1", AT, b"x"));
        let both = format!("v1a,AAAA {by_old} {by_new}");
        let at = AT.to_string();
        for signatures in [&by_old, &by_new, &both] {
            assert!(check(signatures, &at, b"x", &[NEW, OLD]).is_ok());
        }
        assert_eq!(check(&by_old, &at, b"x", &[NEW]), Err(Refusal::Signature));
        assert!(check(&both, &at, b"x", &[NEW]).is_ok());
    }

    #[test]
    fn id_and_timestamp_are_signed_too() {
        let signature = sign(OLD, "evt_1", AT, b"x");
        assert_eq!(
            check(&signature, &(AT + 1).to_string(), b"x", &[OLD]),
            Err(Refusal::Signature)
        );
        let other = Signed {
            id: "evt_2",
            timestamp: &AT.to_string(),
            signatures: &signature,
        };
        assert_eq!(verify(other, b"x", &secrets(&[OLD])), Err(Refusal::Signature));
    }

    #[test]
    fn odd_headers_are_refused() {
        for at in ["", "-1", "+1", "1.5", "x", "99999999999999999999", " 1"] {
            assert_eq!(
                check("v1,AAAA", at, b"x", &[OLD]),
                Err(Refusal::Headers),
                "{at:?}"
            );
        }
        for id in ["", "a b", "ä", &"x".repeat(256)] {
            let signed = Signed {
                id,
                timestamp: "1",
                signatures: "v1,AAAA",
            };
            assert_eq!(
                verify(signed, b"x", &secrets(&[OLD])),
                Err(Refusal::Headers),
                "{id:?}"
            );
        }
        for signatures in ["v1,", "v1", "v2,AAAA", ",", "v1,%%%"] {
            assert_eq!(
                check(signatures, "1", b"x", &[OLD]),
                Err(Refusal::Signature),
                "{signatures:?}"
            );
        }
        assert_eq!(check("", "1", b"x", &[OLD]), Err(Refusal::Headers));
    }

    #[test]
    fn h061_an_old_timestamp_is_refused_and_so_is_a_future_one() {
        let now = from_micros(AT * 1_000_000);
        for seconds in [-300, 0, 300] {
            assert_eq!(check_age(now + Duration::seconds(seconds), now, 300), Ok(()));
        }
        for seconds in [-301, 301, -31_536_000] {
            assert_eq!(
                check_age(now + Duration::seconds(seconds), now, 300),
                Err(Refusal::Timestamp)
            );
        }
        assert_eq!(
            check_age(Timestamp::MAX_UTC, now, u32::MAX),
            Err(Refusal::Timestamp)
        );
    }

    #[test]
    fn weak_and_malformed_secrets_are_refused() {
        for text in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "b2xkLXNlY3JldC1vZi10aGUtc291cmNlLTAwMDE=",
            "whsec_%%%",
        ] {
            assert!(Secret::parse(&SecretString::from(text)).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_headers_and_bytes_break_it(id in ".{0,300}", at in ".{0,30}", signatures in ".{0,300}", body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let signed = Signed { id: &id, timestamp: &at, signatures: &signatures };
            prop_assert!(verify(signed, &body, &secrets(&[OLD])).is_err());
        }

        #[test]
        fn any_signed_body_is_accepted(body in proptest::collection::vec(any::<u8>(), 0..300), at in 0i64..4_000_000_000) {
            // The library signs text only; ours signs bytes.
            if std::str::from_utf8(&body).is_ok() {
                prop_assert!(check(&sign(OLD, "evt_1", at, &body), &at.to_string(), &body, &[NEW, OLD]).is_ok());
            }
        }
    }
}
