//! The identity provider against a receiver that refuses at first.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use ferrex_contracts::Decision;
use ferrex_contracts::webhooks::IdentityEvent;
use ferrex_sandbox::identity::{Applicant, IdentityProvider};
use ferrex_sandbox::{SenderConfig, WebhookSender};
use ferrex_time::SystemClock;
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const SECRET: &str = "whsec_b2xkLXNlY3JldC1vZi10aGUtc291cmNlLTAwMDE=";

async fn listen(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_decision_is_sent_until_it_is_taken_under_one_id() {
    let (taken, mut attempts) = mpsc::unbounded_channel();
    let refusals = Arc::new(Mutex::new(vec![
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::UNAUTHORIZED,
    ]));
    let receive = async move |headers: HeaderMap, body: Bytes| {
        let status = refusals.lock().unwrap().pop().unwrap_or(StatusCode::NO_CONTENT);
        taken.send((headers, body)).unwrap();
        status
    };
    let url = listen(Router::new().route("/webhooks/identity", post(receive))).await;
    let mut config = SenderConfig::new(format!("{url}/webhooks/identity"), SecretString::from(SECRET));
    config.first_pause = Duration::from_millis(5);
    let sender = WebhookSender::try_new(config, SystemClock::shared()).unwrap();
    let api = listen(IdentityProvider::new(sender.clone(), SystemClock::shared()).router()).await;

    let client = reqwest::Client::new();
    let person = json!({"reference": "ver_1", "name": "A", "birth_date": "1990-01-01", "country": "CH"});
    let submit = async || -> Applicant {
        client
            .post(format!("{api}/applicants"))
            .json(&person)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let applicant = submit().await;
    assert_eq!(
        submit().await.id,
        applicant.id,
        "the same reference is the same applicant"
    );
    let decision = json!({"decision": "reject", "reason": "the photo is not legible"});
    let decided = client
        .post(format!("{api}/applicants/{}/decision", applicant.id))
        .json(&decision)
        .send()
        .await
        .unwrap();
    assert_eq!(decided.status(), 200);
    let unknown = client
        .post(format!("{api}/applicants/nobody/decision"))
        .json(&decision)
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);

    let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (headers, body) = attempts.recv().await.unwrap();
        verifier.verify(&body, &headers).unwrap();
        ids.push(headers["webhook-id"].clone());
        let event: IdentityEvent = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (
                event.data.reference.as_str(),
                event.data.decision,
                event.data.version
            ),
            ("ver_1", Decision::Reject, 1)
        );
        assert_eq!(event.data.reason, "the photo is not legible");
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    sender.stop().await;
    assert!(attempts.try_recv().is_err() && sender.waiting() == 0);
}
