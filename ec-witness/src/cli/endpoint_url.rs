//! URLs of what is asked by HTTP.

use url::Url;

/// The URL that a setting names. What stands behind its host may be secret and is not shown.
pub(crate) fn parse(field: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let shown = if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") };
        format!(
            "{field}: {shown:?} is not the URL of an endpoint: write http:// or https:// and its host, as in \
             \"http://127.0.0.1:8545\""
        )
    })
}
