//! An identity provider: `POST /applicants` submits a person, `POST /applicants/{id}/decision` decides, and the decision goes
//! out as a signed webhook.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ferrex_contracts::Decision;
use ferrex_contracts::webhooks::{IDENTITY_DECIDED, IdentityDecision, IdentityEvent};
use ferrex_time::SharedClock;
use serde::{Deserialize, Serialize};

use crate::WebhookSender;

/// A person as submitted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitApplicant {
    /// What the submitter calls it; comes back in the webhook.
    pub reference: String,
    /// Full name.
    pub name: String,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    /// Two letters.
    pub country: String,
}

/// A person as the provider knows them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Applicant {
    /// The provider's id.
    pub id: String,
    /// What was submitted.
    #[serde(flatten)]
    pub submitted: SubmitApplicant,
    /// The last decision.
    pub decision: Option<Decision>,
    /// How often it was decided.
    pub version: u32,
}

/// A decision about an applicant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Yes or no.
    pub decision: Decision,
    /// Why, for the person.
    #[serde(default)]
    pub reason: String,
}

/// The provider; clones are the same.
#[derive(Clone)]
pub struct IdentityProvider {
    applicants: Arc<Mutex<BTreeMap<String, Applicant>>>,
    sender: WebhookSender,
    clock: SharedClock,
}

impl IdentityProvider {
    /// A provider without applicants.
    pub fn new(sender: WebhookSender, clock: SharedClock) -> Self {
        Self {
            applicants: Arc::default(),
            sender,
            clock,
        }
    }

    /// Its HTTP interface.
    pub fn router(&self) -> Router {
        Router::new()
            .route(
                "/",
                get(async || "sandbox identity provider: POST /applicants, POST /applicants/{id}/decision\n"),
            )
            .route("/applicants", post(submit).get(list))
            .route("/applicants/{id}", get(show))
            .route("/applicants/{id}/decision", post(decide))
            .with_state(self.clone())
    }

    /// Takes an applicant in. The same reference is the same applicant.
    pub fn submit(&self, submitted: SubmitApplicant) -> Applicant {
        let mut applicants = self.applicants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = applicants
            .values()
            .find(|known| known.submitted.reference == submitted.reference)
        {
            return known.clone();
        }
        let id = format!("app_{}", uuid::Uuid::new_v4().simple());
        let applicant = Applicant {
            id: id.clone(),
            submitted,
            decision: None,
            version: 0,
        };
        applicants.insert(id, applicant.clone());
        applicant
    }

    /// Decides, and sends the decision. None if there is no such applicant. Deciding again is possible, as it is in life.
    pub fn decide(&self, id: &str, decide: Decide) -> Option<Applicant> {
        let applicant = {
            let mut applicants = self.applicants.lock().unwrap_or_else(PoisonError::into_inner);
            let applicant = applicants.get_mut(id)?;
            applicant.decision = Some(decide.decision);
            applicant.version += 1;
            applicant.clone()
        };
        let event = IdentityEvent {
            event_type: IDENTITY_DECIDED.to_owned(),
            timestamp: self.clock.now(),
            data: IdentityDecision {
                applicant: id.to_owned(),
                reference: applicant.submitted.reference.clone(),
                version: applicant.version,
                decision: decide.decision,
                reason: decide.reason,
            },
        };
        let body = serde_json::to_string(&event).expect("an event holds only texts and numbers");
        self.sender
            .send(format!("evt_{}", uuid::Uuid::new_v4().simple()), body);
        Some(applicant)
    }
}

async fn submit(
    State(provider): State<IdentityProvider>,
    Json(applicant): Json<SubmitApplicant>,
) -> Response {
    (StatusCode::CREATED, Json(provider.submit(applicant))).into_response()
}

async fn list(State(provider): State<IdentityProvider>) -> Json<Vec<Applicant>> {
    Json(
        provider
            .applicants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect(),
    )
}

async fn show(State(provider): State<IdentityProvider>, Path(id): Path<String>) -> Response {
    found(
        provider
            .applicants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned(),
    )
}

async fn decide(
    State(provider): State<IdentityProvider>,
    Path(id): Path<String>,
    Json(body): Json<Decide>,
) -> Response {
    found(provider.decide(&id, body))
}

fn found(applicant: Option<Applicant>) -> Response {
    match applicant {
        Some(applicant) => Json(applicant).into_response(),
        None => (StatusCode::NOT_FOUND, "no such applicant\n").into_response(),
    }
}
