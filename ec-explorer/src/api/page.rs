//! The page, which the binary holds.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::Response,
};
use include_dir::{Dir, include_dir};

use super::{
    Shared,
    answer::{Holds, tagged},
    problem::{ApiError, Kind},
};

/// Where scripts, styles, pictures and requests of the page may come from.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self' blob:; worker-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// The same where a visitor chooses an RPC endpoint, which may be anywhere.
const CHECK_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self' blob:; worker-src 'self'; connect-src 'self' http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// The built page.
static BUILT: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/page/dist");

/// A file of the page.
pub(super) async fn file(State(_): State<Shared>, headers: HeaderMap, uri: Uri) -> Result<Response, ApiError> {
    let path = match uri.path() {
        "/" => "index.html",
        "/check" => "check.html",
        path => path.trim_start_matches('/'),
    };
    let found = BUILT.get_file(path).map(include_dir::File::contents).ok_or_else(|| {
        let shown: String = uri.path().chars().take(80).collect();
        ApiError::new(Kind::NotFound, format!("{shown:?}; the API begins at /api/v1"))
    })?;
    let tag = format!("\"{}\"", &blake3::hash(found).to_hex()[..32]);
    // their names hold a hash of what they are
    let holds = if path.starts_with("assets/") { Holds::Always } else { Holds::Unknown };
    let mut response = tagged(&headers, holds, kind_of(path), &tag, found);
    if path.ends_with(".html") {
        let policy = if path == "check.html" { CHECK_POLICY } else { POLICY };
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    if path == "embed.js" {
        // it is there to be run on other sites
        super::open_to_all(response.headers_mut());
    }
    Ok(response)
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
