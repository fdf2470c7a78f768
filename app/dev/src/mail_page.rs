//! Shows the mails that were caught: a list, one mail, and the same as JSON.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use ferrex_testkit::MailCatcher;
use ferrex_testkit::mail::Mail;
use serde::Deserialize;
use serde_json::{Value, json};

/// The page, over what the catcher holds.
pub fn router(mails: Arc<MailCatcher>) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/messages/{number}", get(show))
        .route("/messages/{number}/html", get(html))
        .route("/api/messages", get(api))
        .with_state(mails)
}

/// Of whom.
#[derive(Deserialize)]
struct Filter {
    to: Option<String>,
}

async fn api(State(mails): State<Arc<MailCatcher>>, Query(filter): Query<Filter>) -> Json<Value> {
    let found = match filter.to {
        Some(to) => mails.messages_to(&to),
        None => mails.messages(),
    };
    let found: Vec<Value> = found
        .iter()
        .map(|mail| {
            json!({
                "number": mail.number, "from": mail.from, "to": mail.to, "subject": mail.subject,
                "date": mail.date, "text": mail.text,
            })
        })
        .collect();
    Json(json!({ "items": found }))
}

async fn list(State(mails): State<Arc<MailCatcher>>) -> Html<String> {
    let mut rows = String::new();
    for mail in mails.messages().iter().rev() {
        let _ = write!(
            rows,
            "<tr><td>{}</td><td>{}</td><td><a href=\"/messages/{}\">{}</a></td></tr>",
            escape(&mail.date),
            escape(&mail.to.join(", ")),
            mail.number,
            escape(&mail.subject),
        );
    }
    if rows.is_empty() {
        rows.push_str("<tr><td colspan=\"3\">No mail yet. This page looks again by itself.</td></tr>");
    }
    Html(page(
        "Mail",
        "<meta http-equiv=\"refresh\" content=\"3\">",
        &format!("<table><tr><th>When</th><th>To</th><th>Subject</th></tr>{rows}</table>"),
    ))
}

async fn show(State(mails): State<Arc<MailCatcher>>, Path(number): Path<u64>) -> Response {
    let Some(mail) = find(&mails, number) else {
        return missing();
    };
    let text = linked(&escape(mail.text.as_deref().unwrap_or_default()));
    let body = format!(
        "<p><a href=\"/\">All mail</a></p><h2>{}</h2><p>From {} to {}, {}</p>\
         <iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/messages/{number}/html\" title=\"The mail in HTML\"></iframe><pre>{text}</pre>",
        escape(&mail.subject),
        escape(&mail.from),
        escape(&mail.to.join(", ")),
        escape(&mail.date),
    );
    Html(page(&escape(&mail.subject), "", &body)).into_response()
}

/// The HTML of a mail, without scripts and without loading anything. Its links open beside this page.
async fn html(State(mails): State<Arc<MailCatcher>>, Path(number): Path<u64>) -> Response {
    let Some(mail) = find(&mails, number) else {
        return missing();
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                  sandbox allow-popups allow-popups-to-escape-sandbox";
    (
        [(header::CONTENT_SECURITY_POLICY, policy)],
        Html(format!(
            "<base target=\"_blank\">{}",
            mail.html.unwrap_or_default()
        )),
    )
        .into_response()
}

fn find(mails: &MailCatcher, number: u64) -> Option<Mail> {
    mails.messages().into_iter().find(|mail| mail.number == number)
}

fn missing() -> Response {
    (
        StatusCode::NOT_FOUND,
        Html(page(
            "Mail",
            "",
            "<p>There is no such mail. <a href=\"/\">All mail</a></p>",
        )),
    )
        .into_response()
}

fn page(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <link rel=\"icon\" href=\"data:,\">{head}<style>\
         :root{{color-scheme:light dark}}a{{overflow-wrap:anywhere}}\
         body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}}\
         table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #8886}}\
         pre{{background:#8882;padding:1rem;white-space:pre-wrap}}iframe{{width:100%;height:26rem;border:1px solid #8886}}\
         </style></head><body><h1>Caught mail</h1>{body}</body></html>"
    )
}

/// Makes links of the addresses in an escaped text.
fn linked(text: &str) -> String {
    let part = |word: &str| {
        let address = word.trim_end();
        if address.starts_with("http://") || address.starts_with("https://") {
            let rest = &word[address.len()..];
            format!("<a href=\"{address}\" target=\"_blank\" rel=\"noreferrer\">{address}</a>{rest}")
        } else {
            word.to_owned()
        }
    };
    text.split_inclusive(char::is_whitespace).map(part).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
