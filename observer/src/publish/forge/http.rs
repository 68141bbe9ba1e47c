//! Requests to the forge: bounded in time, size and number of tries. One provider of cryptography, no redirects, no
//! proxies of the environment.

use super::error::ForgeError;
use super::token::Token;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use serde_json::Value;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Tries of one request, the first included.
const TRIES: u32 = 4;
/// Longest wait that the forge can ask for and is given, in seconds.
const PATIENCE: u64 = 60;
/// Bytes of an answer.
const LARGEST: usize = 8 << 20;
/// Characters of a message that are shown.
const SHOWN: usize = 300;

/// One request of an API, before it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What it is for, as in "listing pull requests".
    pub doing: &'static str,
    /// Which verb.
    pub method: Method,
    /// Below the API's address, with the query; names are percent-encoded already.
    pub path: String,
    /// JSON.
    pub body: Option<Value>,
}

/// The verbs that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes something. Never sent again when it is not known whether it was done.
    Post,
    /// Changes something that is named, so that twice is as good as once.
    Patch,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The body; null if there is none.
    pub(super) body: Value,
    /// Whether there is a next page, if the forge says so (RFC 8288).
    pub(super) next: Option<bool>,
}

/// How waiting is done; a test counts instead.
pub type Pause = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Waits for real.
pub fn sleep() -> Pause {
    Arc::new(|time| Box::pin(tokio::time::sleep(time)))
}

/// A connection to one API with one token.
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
    token: Token,
    pause: Pause,
}

impl Http {
    pub(super) fn new(
        api: &str,
        authority: Option<&Path>,
        token: Token,
        (scheme, accept): (&str, &'static str),
        pause: Pause,
    ) -> Result<Self, ForgeError> {
        // Already there is as good as installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let base = check_address(api)?;
        let configuration = |error: reqwest::Error| ForgeError::Configuration(chain(&error));
        let mut headers = HeaderMap::new();
        let value = token.header(scheme).ok_or_else(|| ForgeError::Configuration("the token fits no header".into()))?;
        headers.insert(AUTHORIZATION, value);
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("countersign/", env!("CARGO_PKG_VERSION"))));
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30));
        if let Some(path) = authority {
            let pem = std::fs::read(path).map_err(ForgeError::Authority)?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|list| !list.is_empty())
                .ok_or_else(|| ForgeError::Authority(std::io::Error::other("no certificate in PEM form")))?;
            builder = builder.tls_certs_only(certificates);
        }
        Ok(Self { client: builder.build().map_err(configuration)?, base, token, pause })
    }

    /// Sends a request, again where that does no harm, and answers with the body of a 2xx.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, ForgeError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let (error, wait) = match self.once(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let backoff = Duration::from_secs(1 << (tried - 1).min(5));
            let wait = match (&error, wait) {
                (ForgeError::RateLimited { seconds, .. }, _) if *seconds <= PATIENCE => Duration::from_secs(*seconds),
                // A 5xx may have been done all the same: what makes something is not sent again.
                (ForgeError::Server { .. }, wait) if request.method != Method::Post => match wait {
                    Some(seconds) if seconds > PATIENCE => return Err(error),
                    Some(seconds) => Duration::from_secs(seconds),
                    None => backoff,
                },
                (ForgeError::Unreachable { .. } | ForgeError::TimedOut { .. }, _) if request.method != Method::Post => {
                    backoff
                }
                _ => return Err(error),
            };
            if tried >= TRIES {
                return Err(error);
            }
            tracing::info!(doing = request.doing, tried, "the forge is asked again after {wait:?}: {error}");
            (self.pause)(wait).await;
        }
    }

    async fn once(&self, request: &Request) -> Result<Answer, (ForgeError, Option<u64>)> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
        };
        let mut builder = self.client.request(method, format!("{}{}", self.base, request.path));
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let response = builder.send().await.map_err(|error| (self.transport(request.doing, &error), None))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = self.read(request.doing, response).await.map_err(|error| (error, None))?;
        if (200..300).contains(&status) {
            let body = if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&body).map_err(|error| {
                    let detail = self.shown(&error.to_string());
                    (ForgeError::Malformed { doing: request.doing, detail }, None)
                })?
            };
            return Ok(Answer { body, next: next_page(&headers) });
        }
        let wait = retry_after(&headers);
        Err((refusal(request.doing, status, wait, exhausted(&headers), self.message(&body)), wait))
    }

    async fn read(&self, doing: &'static str, mut response: reqwest::Response) -> Result<Vec<u8>, ForgeError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(doing, &error))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(ForgeError::Malformed { doing, detail: format!("it is larger than {LARGEST} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn transport(&self, doing: &'static str, error: &reqwest::Error) -> ForgeError {
        if error.is_timeout() {
            return ForgeError::TimedOut { doing };
        }
        ForgeError::Unreachable { doing, detail: self.shown(&chain(error)) }
    }

    /// The `message` of an error's body.
    fn message(&self, body: &[u8]) -> String {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut text = value.get("message").and_then(Value::as_str).unwrap_or("no message").to_owned();
        if let Some(errors) = value.get("errors").filter(|errors| !errors.is_null()) {
            text.push_str(&format!(" {errors}"));
        }
        self.shown(&text)
    }

    fn shown(&self, text: &str) -> String {
        let text = self.token.redact(text);
        countersign_shared::terminal::visible(&text).chars().take(SHOWN).collect()
    }
}

/// https, or http to this machine: a token does not cross a network in the clear.
fn check_address(api: &str) -> Result<String, ForgeError> {
    let refuse = |why: &str| Err(ForgeError::Configuration(format!("api {why}")));
    let Ok(url) = reqwest::Url::parse(api) else {
        return refuse("is no URL");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must not hold a user or a password; the token comes from token_file");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("must not hold a query");
    }
    let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => Ok(api.trim_end_matches('/').to_owned()),
        "http" if local => Ok(api.trim_end_matches('/').to_owned()),
        _ => refuse("must begin with https://"),
    }
}

/// Pure: what a status means.
fn refusal(doing: &'static str, status: u16, wait: Option<u64>, exhausted: bool, detail: String) -> ForgeError {
    match (status, wait) {
        (429, wait) => ForgeError::RateLimited { doing, seconds: wait.unwrap_or(PATIENCE) },
        // GitHub's way to say the same ("Rate limits for the REST API").
        (403, Some(seconds)) => ForgeError::RateLimited { doing, seconds },
        (403, None) if exhausted => ForgeError::RateLimited { doing, seconds: 3600 },
        (401, _) => ForgeError::Unauthorized { doing, detail },
        (403, _) => ForgeError::Forbidden { doing, detail },
        (404 | 410, _) => ForgeError::NotFound { doing },
        (409, _) => ForgeError::Conflict { doing, detail },
        (412 | 422, _) => ForgeError::Invalid { doing, detail },
        (413 | 423, _) => ForgeError::Closed { doing, detail },
        (500..600, _) => ForgeError::Server { doing, status },
        _ => ForgeError::Unexpected { doing, status },
    }
}

/// RFC 9110, 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(seconds);
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp().as_second();
    Some(u64::try_from(at - jiff::Timestamp::now().as_second()).unwrap_or(0))
}

fn exhausted(headers: &HeaderMap) -> bool {
    headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0")
}

fn next_page(headers: &HeaderMap) -> Option<bool> {
    let links = headers.get("link")?.to_str().ok()?;
    Some(links.split(',').any(|link| link.contains("rel=\"next\"")))
}

/// The error with its causes. reqwest's own words hold the URL, which holds no secret.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        let code = |status, wait, exhausted| refusal("testing", status, wait, exhausted, String::new()).code();
        for (status, expected) in [
            (301, "forge-unexpected"),
            (400, "forge-unexpected"),
            (401, "forge-unauthorized"),
            (403, "forge-forbidden"),
            (404, "forge-not-found"),
            (409, "forge-conflict"),
            (412, "forge-invalid"),
            (413, "forge-closed"),
            (422, "forge-invalid"),
            (423, "forge-closed"),
            (429, "forge-rate-limited"),
            (500, "forge-server"),
            (503, "forge-server"),
        ] {
            assert_eq!(code(status, None, false), expected, "{status}");
        }
        assert_eq!(code(403, Some(5), false), "forge-rate-limited");
        assert_eq!(code(403, None, true), "forge-rate-limited");
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_and_pages_say_what_follows() {
        let headers = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            headers
        };
        assert_eq!(retry_after(&headers("retry-after", "7")), Some(7));
        assert_eq!(retry_after(&headers("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")), Some(0));
        assert_eq!(retry_after(&headers("retry-after", "soon")), None);
        assert_eq!(
            next_page(&headers("link", "<https://x/?page=2>; rel=\"next\",<https://x/?page=9>; rel=\"last\"")),
            Some(true)
        );
        assert_eq!(next_page(&headers("link", "<https://x/?page=1>; rel=\"first\"")), Some(false));
        assert_eq!(next_page(&HeaderMap::new()), None);
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear_or_to_odd_addresses() {
        for api in [
            "http://forge.example/api/v1",
            "https://u:p@forge.example",
            "ftp://x",
            "forge.example",
            "https://x/?a=b",
            "http://127.0.0.1.example/",
        ] {
            assert!(check_address(api).is_err(), "{api} was accepted");
        }
        assert_eq!(check_address("https://forge.example/api/v1/").unwrap(), "https://forge.example/api/v1");
        assert!(check_address("http://127.0.0.1:3000/api/v1").is_ok());
    }
}
