//! The pages that mails lead to. Each is one file beside this one, with its own script; the style and the functions that
//! all share are put into it here, so that a page is one answer and its policy allows nothing but these very texts.
//!
//! A token stands behind the `#` of a link, so no server, log or `Referer` sees it but the body that the page sends to
//! the same JSON API that apps use (A24). To add a page: its file, and a line in [`PAGES`].

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ferrex_web::OpenApiRouter;
use sha2::{Digest as _, Sha256};

use crate::Core;

/// Paths and files.
const PAGES: [(&str, &str); 6] = [
    ("/", include_str!("home.html")),
    // Mails say "log in", which is the app's matter; the page says so.
    ("/login", include_str!("home.html")),
    ("/register", include_str!("register.html")),
    ("/register/confirm", include_str!("confirm_registration.html")),
    ("/password/reset", include_str!("forgot_password.html")),
    ("/password/reset/confirm", include_str!("choose_password.html")),
];

/// The routes. They are for browsers and not part of the document.
pub(super) fn router() -> OpenApiRouter<Core> {
    PAGES
        .into_iter()
        .fold(OpenApiRouter::new(), |router, (path, file)| {
            let (html, policy) = assemble(file);
            router.route(
                path,
                get(async move || ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()),
            )
        })
}

/// The page as it is sent, and what it may do: run its own script, use its own style, call its own server.
fn assemble(file: &str) -> (String, HeaderValue) {
    let html = file
        .replace("/* common.css */", include_str!("common.css"))
        .replace("/* common.js */", include_str!("common.js"));
    let allowed = |element: &str| {
        let text = html
            .split_once(&format!("<{element}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{element}>")));
        text.map_or("'none'".to_owned(), |(text, _)| {
            format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
        })
    };
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        allowed("script"),
        allowed("style"),
    );
    let policy = HeaderValue::from_str(&policy).expect("base64 is ASCII");
    (html, policy)
}
