//! Signatures of webhooks: three header lines and a body. Nothing passes but what was signed with a secret of ours.

#![no_main]

#[path = "../../services/webhooks/src/inbound/signature.rs"]
#[allow(dead_code, reason = "the ages and codes are used by the service")]
mod signature;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use sha2::Sha256;
use signature::{Secret, Signed, check_age, verify};

const KEY: &[u8; 32] = b"a secret of a source for fuzzing";

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut header = || std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let (id, timestamp, signatures) = (header(), header(), header());
    let body = lines.next().unwrap_or_default();
    let _ = Secret::parse(&SecretString::from(signatures));
    let secret = Secret::parse(&format!("whsec_{}", STANDARD.encode(KEY)).into()).unwrap();
    let secrets = [secret];
    let signed = |signatures| Signed {
        id,
        timestamp,
        signatures,
    };
    // Who does not know the secret makes no signature.
    assert!(verify(signed(signatures), body, &secrets).is_err());
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    let right = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    if let Ok(moment) = verify(signed(&right), body, &secrets) {
        assert!(check_age(moment, moment, 0).is_ok());
        let mut longer = body.to_vec();
        longer.push(0);
        assert!(verify(signed(&right), &longer, &secrets).is_err());
    }
});
