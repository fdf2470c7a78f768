//! Access tokens: EdDSA JWTs of five minutes, minted by `core`, understood by everybody.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
};
use ed25519_dalek::{SigningKey, VerifyingKey};
use ferrex_ids::{SessionId, UserId};
use ferrex_time::{Duration, SharedClock, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const ISSUER: &str = "ferrex-core";
const AUDIENCE: &str = "ferrex";
const LIFETIME: Duration = Duration::minutes(5);
/// By how much two machines' clocks may differ.
const SKEW: Duration = Duration::seconds(30);
/// How many tokens are remembered whose signature was found good.
const KNOWN_MAX: u64 = 50_000;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who minted it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The person.
    pub sub: UserId,
    /// The session; when it is revoked, so is every token of it.
    pub sid: SessionId,
    /// Unix seconds at which it ends.
    pub exp: i64,
    /// Unix seconds at which it was minted.
    pub iat: i64,
}

/// A text is not a key.
#[derive(Debug, thiserror::Error)]
#[error("the {what} is not an Ed25519 key")]
pub struct InvalidKey {
    what: &'static str,
}

/// Why a token was refused. The caller is not told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of ours: wrong form, algorithm, key, signature, issuer or audience.
    #[error("the token is not valid")]
    Invalid,
    /// Its time is over, or has not come.
    #[error("the token has expired")]
    Expired,
    /// Its session was ended.
    #[error("the session has ended")]
    Revoked,
}

/// The public half of a signing key, as 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes it from SubjectPublicKeyInfo PEM.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        VerifyingKey::from_public_key_pem(pem)
            .map(Self)
            .map_err(|_| InvalidKey { what: "public key" })
    }

    /// As SubjectPublicKeyInfo PEM.
    pub fn to_pem(&self) -> String {
        self.0
            .to_public_key_pem(LineEnding::LF)
            .expect("a point of the curve can be written")
    }

    /// The name of the key in a token's header, derived from the key.
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.0.as_bytes())[..8])
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        key.map(Self).ok_or(InvalidKey { what: "public key" })
    }
}

/// A new signing key as PKCS #8 PEM, for a first start or a rotation.
pub fn generate_key_pem() -> SecretString {
    let key = SigningKey::from_bytes(&rand::random());
    let pem = key.to_pkcs8_pem(LineEnding::LF);
    SecretString::from(pem.expect("a key that was just made can be written").to_string())
}

/// Mints access tokens.
#[derive(Clone)]
pub struct TokenSigner {
    key: Arc<EncodingKey>,
    public: PublicKey,
    clock: SharedClock,
}

impl TokenSigner {
    /// Takes the signing key from PKCS #8 PEM.
    pub fn from_pem(pem: &SecretString, clock: SharedClock) -> Result<Self, InvalidKey> {
        let refused = InvalidKey { what: "signing key" };
        let Ok(key) = SigningKey::from_pkcs8_pem(pem.expose_secret()) else {
            return Err(refused);
        };
        let Ok(encoding) = EncodingKey::from_ed_pem(pem.expose_secret().as_bytes()) else {
            return Err(refused);
        };
        Ok(Self {
            key: Arc::new(encoding),
            public: PublicKey(key.verifying_key()),
            clock,
        })
    }

    /// The key that verifies these tokens.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// A token for a person's session, and when it ends.
    pub fn sign(&self, user: UserId, session: SessionId) -> (String, Timestamp) {
        let now = self.clock.now();
        let expires = now + LIFETIME;
        let claims = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            exp: expires.timestamp(),
            iat: now.timestamp(),
        };
        let header = Header {
            kid: Some(self.public.id()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token =
            jsonwebtoken::encode(&header, &claims, &self.key).expect("the key was checked when it was read");
        (token, expires)
    }
}

/// Verifies access tokens. Clones share the list of ended sessions.
#[derive(Clone)]
pub struct TokenVerifier(Arc<Verifier>);

struct Verifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    clock: SharedClock,
    /// What tokens say whose signature was found good, by the whole token: checking one costs more than all else that is done
    /// for a call. Their time and their session are looked at each time. Hashed fast, for nobody else can choose what is in it.
    known: Cache<Box<str>, Arc<AccessClaims>, foldhash::fast::RandomState>,
    /// Sessions that ended, until no token of theirs can be alive.
    revoked: RwLock<HashMap<SessionId, Timestamp>>,
}

impl TokenVerifier {
    /// A verifier that accepts any of these keys; two during a rotation.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>, clock: SharedClock) -> Self {
        let keys = keys
            .into_iter()
            .map(|key| (key.id(), DecodingKey::from_ed_der(key.0.as_bytes())))
            .collect();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // Time is compared below, with our own clock.
        validation.validate_exp = false;
        Self(Arc::new(Verifier {
            keys,
            validation,
            clock,
            known: Cache::builder()
                .max_capacity(KNOWN_MAX)
                .time_to_live((LIFETIME + SKEW + SKEW).to_std().expect("it is positive"))
                .build_with_hasher(foldhash::fast::RandomState::default()),
            revoked: RwLock::default(),
        }))
    }

    /// Checks a token and says whose it is.
    pub fn verify(&self, token: &str) -> Result<Arc<AccessClaims>, TokenError> {
        let known = self.0.known.get(token);
        let claims = match &known {
            Some(claims) => Arc::clone(claims),
            None => Arc::new(self.signed(token)?),
        };
        let now = self.0.clock.now();
        if now.timestamp() >= claims.exp.saturating_add(SKEW.num_seconds())
            || now.timestamp() < claims.iat.saturating_sub(SKEW.num_seconds())
        {
            return Err(TokenError::Expired);
        }
        if self
            .0
            .revoked
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&claims.sid)
        {
            return Err(TokenError::Revoked);
        }
        if known.is_none() {
            self.0.known.insert(token.into(), Arc::clone(&claims));
        }
        Ok(claims)
    }

    /// What a token says, if one of our keys has signed it.
    fn signed(&self, token: &str) -> Result<AccessClaims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let key = header
            .kid
            .and_then(|kid| self.0.keys.get(&kid))
            .ok_or(TokenError::Invalid)?;
        let decoded = jsonwebtoken::decode::<AccessClaims>(token, key, &self.0.validation);
        decoded.map(|data| data.claims).map_err(|_| TokenError::Invalid)
    }

    /// Refuses every token of a session from now on.
    pub fn revoke(&self, session: SessionId) {
        let now = self.0.clock.now();
        let mut revoked = self.0.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.retain(|_, until| *until > now);
        revoked.insert(session, now + LIFETIME + SKEW + SKEW);
    }
}

#[cfg(test)]
mod tests {
    use ferrex_time::{Clock as _, ManualClock, from_micros};

    use super::*;

    fn parts() -> (Arc<ManualClock>, TokenSigner, TokenVerifier) {
        let clock = Arc::new(ManualClock::new(from_micros(1_800_000_000_000_000)));
        let signer = TokenSigner::from_pem(&generate_key_pem(), clock.clone()).unwrap();
        let verifier = TokenVerifier::new([signer.public_key()], clock.clone());
        (clock, signer, verifier)
    }

    fn ids(clock: &ManualClock) -> (UserId, SessionId) {
        (
            UserId::new_at(clock.unix_ms()),
            SessionId::new_at(clock.unix_ms()),
        )
    }

    #[test]
    fn a_token_names_its_person_until_it_expires() {
        let (clock, signer, verifier) = parts();
        let (user, session) = ids(&clock);
        let (token, expires) = signer.sign(user, session);
        for look in ["first", "second"] {
            let claims = verifier.verify(&token).unwrap();
            assert_eq!((claims.sub, claims.sid), (user, session), "{look} look");
        }
        assert_eq!(expires, clock.now() + LIFETIME);
        clock.advance(LIFETIME + SKEW);
        assert_eq!(verifier.verify(&token), Err(TokenError::Expired));
        clock.advance(Duration::hours(-1));
        assert_eq!(
            verifier.verify(&token),
            Err(TokenError::Expired),
            "a022: minted in the future"
        );
    }

    #[test]
    fn a019_a_revoked_session_is_refused_until_its_tokens_are_dead() {
        let (clock, signer, verifier) = parts();
        let (user, session) = ids(&clock);
        let token = signer.sign(user, session).0;
        assert_eq!(verifier.verify(&token).unwrap().sid, session);
        clock.advance(Duration::seconds(1));
        let unseen = signer.sign(user, session).0;
        assert_ne!(token, unseen);
        verifier.clone().revoke(session);
        for token in [token, unseen] {
            assert_eq!(verifier.verify(&token), Err(TokenError::Revoked));
        }
        clock.advance(Duration::hours(1));
        verifier.revoke(SessionId::new_at(1));
        assert_eq!(
            verifier.0.revoked.read().unwrap().len(),
            1,
            "the list does not grow for ever"
        );
    }

    #[test]
    fn a020_other_algorithms_keys_and_audiences_are_refused() {
        let (clock, signer, verifier) = parts();
        let (user, session) = ids(&clock);
        let token = signer.sign(user, session).0;
        let claims = verifier.verify(&token).unwrap();
        let payload = token.split('.').nth(1).unwrap();

        let header = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let kid = signer.public_key().id();
        let none = format!(
            "{}.{payload}.",
            header(&format!(r#"{{"alg":"none","kid":"{kid}"}}"#))
        );
        let hmac_header = Header {
            kid: Some(kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let hmac_key = EncodingKey::from_secret(signer.public.0.as_bytes());
        let hmac = jsonwebtoken::encode(&hmac_header, &*claims, &hmac_key).unwrap();
        let other = TokenSigner::from_pem(&generate_key_pem(), clock).unwrap();
        let forged_kid = {
            let header = Header {
                kid: Some(kid.clone()),
                ..Header::new(Algorithm::EdDSA)
            };
            jsonwebtoken::encode(&header, &*claims, &other.key).unwrap()
        };
        let sign = |claims: &AccessClaims| {
            let header = Header {
                kid: Some(kid.clone()),
                ..Header::new(Algorithm::EdDSA)
            };
            jsonwebtoken::encode(&header, claims, &signer.key).unwrap()
        };
        let audience = sign(&AccessClaims {
            aud: "ferrex-admin".into(),
            ..(*claims).clone()
        });
        let issuer = sign(&AccessClaims {
            iss: "ferrex-admin".into(),
            ..(*claims).clone()
        });
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
        let tampered = format!("{signed}.{flipped}{}", &signature[1..]);
        for bad in [
            &none,
            &hmac,
            &other.sign(user, session).0,
            &forged_kid,
            &audience,
            &issuer,
            &tampered,
            "",
            "a.b.c",
        ] {
            assert_eq!(verifier.verify(bad), Err(TokenError::Invalid), "{bad}");
        }
    }

    #[test]
    fn a_public_key_survives_its_text() {
        let (_, signer, _) = parts();
        assert_eq!(
            signer.public_key().to_string().parse::<PublicKey>().unwrap(),
            signer.public_key()
        );
        assert_eq!(
            PublicKey::from_pem(&signer.public_key().to_pem()).unwrap(),
            signer.public_key()
        );
        assert!("".parse::<PublicKey>().is_err() && "AAAA".parse::<PublicKey>().is_err());
    }
}
