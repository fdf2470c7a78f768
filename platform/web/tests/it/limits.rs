use ferrex_web::{Config, RateConfig};

use crate::{app, app_with};

#[tokio::test]
async fn a_panic_is_a_problem_that_tells_nothing() {
    let answer = app().get("/v1/panic").await;
    answer.problem(500, "web.handler.panicked");
    assert!(!String::from_utf8_lossy(&answer.body).contains("secret inside"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_given_up() {
    let answer = app().get("/v1/slow").await;
    answer.problem(503, "web.request.timeout");
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_client_that_calls_too_often_is_told_when_to_come_back() {
    let rate = RateConfig {
        per_second: 1,
        burst: 3,
    };
    let app = app_with(&Config {
        per_address: rate,
        ..Config::default()
    });
    for _ in 0..3 {
        assert_eq!(app.get("/v1/things").await.status, 200);
    }
    let refused = app.get("/v1/things").await;
    refused.problem(429, "web.rate.exceeded");
    assert_eq!(refused.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_person_is_limited_over_all_addresses() {
    let rate = RateConfig {
        per_second: 1,
        burst: 2,
    };
    let app = app_with(&Config {
        per_user: rate,
        ..Config::default()
    });
    let (token, ..) = app.token();
    let other = app
        .signer
        .sign(ferrex_ids::UserId::new_at(9), ferrex_ids::SessionId::new_at(9))
        .0;
    for _ in 0..2 {
        assert_eq!(app.get_as(&token).await.status, 200);
    }
    app.get_as(&token).await.problem(429, "web.rate.exceeded");
    assert_eq!(app.get_as(&other).await.status, 200);
}

#[tokio::test]
async fn every_answer_has_its_security_headers() {
    for uri in ["/v1/things", "/nothing", "/v1/panic", "/openapi.json"] {
        let headers = app().get(uri).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{uri}");
        assert_eq!(headers["cache-control"], "no-store", "{uri}");
        assert_eq!(
            headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'",
            "{uri}"
        );
        assert_eq!(headers["referrer-policy"], "no-referrer", "{uri}");
        assert!(
            headers["x-request-id"].to_str().unwrap().starts_with("req_"),
            "{uri}"
        );
    }
}

#[tokio::test]
async fn calls_are_counted_by_route_and_not_by_address() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let app = app();
    app.get("/v1/users/usr_1").await;
    app.get("/v1/users/usr_2").await;
    app.get("/wp-admin.php").await;
    let text = recorder.handle().render();
    for line in [
        r#"http_requests_total{listener="public",method="GET",route="/v1/users/{user}",status="422"} 2"#,
        r#"http_requests_total{listener="public",method="GET",route="unmatched",status="404"} 1"#,
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("usr_1") && !text.contains("wp-admin"), "{text}");
}
