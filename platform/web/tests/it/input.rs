use axum::body::Body;
use axum::http::Request;

use crate::app;

#[tokio::test]
async fn a_body_that_fits_is_read() {
    let answer = app().post(r#"{"name":"a","count":1}"#).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["count"].as_u64()),
        (200, Some(1))
    );
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_field_at_fault_is_named() {
    for (body, field) in [
        (r#"{"name":"a"}"#, "count"),
        (r#"{"name":"a","count":"1"}"#, "count"),
        (r#"{"name":"a","count":1,"is_admin":true}"#, "is_admin"),
        (r#"{"name":"a","count":1,"count":2}"#, "count"),
        (r#"{"name":null,"count":1}"#, "name"),
        (r#"{"name":"\u0000","count":1}"#, "name"),
    ] {
        assert_eq!(
            app().post(body).await.problem(422, "web.body.field"),
            [field],
            "{body}"
        );
    }
    app().post("[]").await.problem(422, "web.body.field");
    app().post("{").await.problem(400, "web.body.malformed");
    app().post("").await.problem(400, "web.body.malformed");
}

#[tokio::test]
async fn a_body_of_another_type_or_size_is_refused() {
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
        "",
    ] {
        let request = Request::post("/v1/things")
            .header("content-type", kind)
            .header("idempotency-key", "k");
        app()
            .send(request.body(Body::from("{}")).unwrap())
            .await
            .problem(415, "web.body.media_type");
    }
    let big = format!(r#"{{"name":"{}","count":1}}"#, "x".repeat(64 * 1024));
    app().post(big).await.problem(413, "web.body.too_large");
}

#[tokio::test]
async fn a_list_is_no_object() {
    app().post(r#"["a",1]"#).await.problem(422, "web.body.field");
}

#[tokio::test]
async fn an_idempotency_key_is_required_and_visible_ascii() {
    let send = async |keys: &[&[u8]]| {
        let mut request = Request::post("/v1/things").header("content-type", "application/json");
        for key in keys {
            request = request.header("idempotency-key", *key);
        }
        app()
            .send(request.body(Body::from(r#"{"name":"a","count":1}"#)).unwrap())
            .await
    };
    send(&[]).await.problem(400, "web.idempotency_key.missing");
    send(&[b"a", b"b"])
        .await
        .problem(400, "web.idempotency_key.missing");
    for key in [&b""[..], b"a b", "ä".as_bytes(), &[b'x'; 256]] {
        send(&[key]).await.problem(400, "web.idempotency_key.malformed");
    }
    assert_eq!(send(&[&[b'x'; 255]]).await.status, 200);
}

#[tokio::test]
async fn queries_and_paths_are_read_strictly() {
    let app = app();
    assert_eq!(app.get("/v1/things?limit=5").await.json(), 5);
    for (uri, field) in [
        ("?limit=x", "limit"),
        ("?limit=1&limit=2", "limit"),
        ("?limit=-1", "limit"),
        ("?offset=1", "offset"),
    ] {
        assert_eq!(
            app.get(&format!("/v1/things{uri}"))
                .await
                .problem(422, "web.query.field"),
            [field],
            "{uri}"
        );
    }
    assert_eq!(
        app.get("/v1/users/usr_x").await.problem(422, "web.path.field"),
        ["user"]
    );
    app.get("/v1/users/%ff").await.problem(400, "web.path.malformed");
    app.get("/v1/users/a%00b")
        .await
        .problem(400, "web.address.malformed");
    app.get("/v1/things?limit=%00")
        .await
        .problem(400, "web.address.malformed");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let app = app();
    app.get("/v1/nothing").await.problem(404, "web.route.unknown");
    app.get("/metrics").await.problem(404, "web.route.unknown");
    app.get("/explorer/nothing.js")
        .await
        .problem(404, "web.route.unknown");
    for method in ["DELETE", "TRACE", "PROPFIND"] {
        let request = Request::builder()
            .method(method)
            .uri("/v1/things")
            .body(Body::empty())
            .unwrap();
        let answer = app.send(request).await;
        answer.problem(405, "web.method.unknown");
        assert_eq!(answer.headers["allow"], "POST,GET,HEAD");
    }
}

#[tokio::test]
async fn a_caller_is_known_by_one_bearer_token() {
    let app = app();
    let (token, user, session) = app.token();
    assert_eq!(app.get_as(&token).await.json(), user.to_string());
    let missing = app.get("/v1/me").await;
    missing.problem(401, "web.token.missing");
    assert_eq!(missing.headers["www-authenticate"], "Bearer");
    app.get_as("x").await.problem(401, "web.token.invalid");
    app.get(&format!("/v1/me?access_token={token}"))
        .await
        .problem(401, "web.token.missing");
    let two = Request::get("/v1/me")
        .header("authorization", format!("Bearer {token}"))
        .header("authorization", "Bearer x");
    app.send(two.body(Body::empty()).unwrap())
        .await
        .problem(401, "web.token.missing");
    app.verifier.revoke(session);
    app.get_as(&token).await.problem(401, "web.token.invalid");
}
