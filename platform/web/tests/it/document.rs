use serde_json::Value;

use crate::app;

#[tokio::test]
async fn the_document_has_every_answer_an_operation_can_give() {
    let document = app().get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let statuses = |path: &str, method: &str| -> Vec<String> {
        document["paths"][path][method]["responses"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(
        statuses("/v1/things", "post"),
        [
            "200", "400", "404", "405", "413", "415", "422", "429", "500", "503"
        ]
    );
    assert_eq!(
        statuses("/v1/me", "get"),
        ["200", "400", "401", "404", "405", "422", "429", "500", "503"]
    );
    let reference = document["paths"]["/v1/me"]["get"]["responses"]["401"]["$ref"]
        .as_str()
        .unwrap();
    let problem = document.pointer(reference.trim_start_matches('#')).unwrap();
    let schema = problem["content"]["application/problem+json"]["schema"]["$ref"]
        .as_str()
        .unwrap();
    assert!(document.pointer(schema.trim_start_matches('#')).is_some());
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(entries) => {
                found.extend(entries.get("$ref").and_then(Value::as_str));
                entries.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = app().get("/openapi.json").await.json();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(
            document.pointer(reference.trim_start_matches('#')).is_some(),
            "{reference}"
        );
    }
}

#[tokio::test]
async fn the_required_header_stands_in_the_document() {
    let document = app().get("/openapi.json").await.json();
    let parameter = &document["paths"]["/v1/things"]["post"]["parameters"][0];
    assert_eq!(
        (parameter["name"].as_str(), parameter["required"].as_bool()),
        (Some("Idempotency-Key"), Some(true))
    );
    assert_eq!(parameter["schema"]["maxLength"], 255);
}

#[tokio::test]
async fn the_explorer_needs_nothing_from_elsewhere() {
    let app = app();
    let page = app.get("/explorer/").await;
    let html = String::from_utf8(page.body).unwrap();
    assert_eq!(
        (
            page.status.as_u16(),
            page.headers["content-type"].to_str().unwrap()
        ),
        (200, "text/html")
    );
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    for script in ["swagger-ui-bundle.js", "swagger-initializer.js", "swagger-ui.css"] {
        assert_eq!(
            app.get(&format!("/explorer/{script}")).await.status,
            200,
            "{script}"
        );
    }
    let start = app.get("/explorer/swagger-initializer.js").await;
    assert!(String::from_utf8(start.body).unwrap().contains("/openapi.json"));
    assert!(
        page.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("script-src 'self'")
    );
}
