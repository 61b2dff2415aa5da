//! HTTP: which request means what.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER,
};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::{get, post};

use super::answer::{self, Code, judge};
use super::clerk::{Line, No, denied};
use super::door::{BODY, HEAD, Visitors};
use super::rate::Rate;
use crate::audit::bearer::Bearer;
use crate::record::hash::Hash;
use crate::record::token::READ_CAP;

/// What every request is judged by.
pub struct House {
    /// The way to the ledger.
    pub line: Line,
    /// Who is connected.
    pub visitors: Arc<Visitors>,
    /// How often they may ask.
    pub rate: Mutex<Rate>,
    /// When this began.
    pub began: Instant,
    /// The token that all have to show.
    pub bearer: Option<Bearer>,
    /// Of those with a certificate, the ones who may send, by its SHA-256; none: all.
    pub stations: Vec<Hash>,
    /// Organisations whose records are taken; none: all.
    pub issuers: Vec<String>,
}

/// The receiver takes records at any path that names none of its own, so that it can stand behind others.
pub fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/", post(take))
        .route("/events", post(take))
        .route("/checkpoint", get(checkpoint))
        .route("/receipt/{record}", get(receipt))
        .layer(DefaultBodyLimit::max(READ_CAP))
        .with_state(house)
}

async fn take(
    State(house): State<Arc<House>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    house.visitors.allow(&address, BODY);
    let answer = match house.admit(&address, &request) {
        Ok(client) => taken(&house, &address, client, request).await,
        Err(no) => no,
    };
    house.visitors.allow(&address, HEAD);
    answer
}

async fn taken(house: &House, address: &SocketAddr, client: String, request: Request) -> Response<Body> {
    let headers = request.headers().clone();
    let body = match Bytes::from_request(request, &()).await {
        Ok(body) => body,
        Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))) => {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, &answer::too_large());
        }
        Err(_) => return broke_off(),
    };
    house.visitors.patient(address);
    let judged = judge(
        &answer::Request {
            content_type: headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes),
            encoded: headers.contains_key(CONTENT_ENCODING),
            body: &body,
        },
        &house.issuers,
    );
    match house.line.take(client, judged, body.into()).await {
        Ok(()) => plain(StatusCode::ACCEPTED, String::new()),
        Err(no) => of(no),
    }
}

async fn checkpoint(
    State(house): State<Arc<House>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    if let Err(no) = house.admit(&address, &request) {
        return no;
    }
    house.visitors.patient(&address);
    let answer = house.line.checkpoint().await;
    house.visitors.allow(&address, HEAD);
    answer.map_or_else(of, |text| plain(StatusCode::OK, text))
}

async fn receipt(
    State(house): State<Arc<House>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Path(record): Path<String>,
    request: Request,
) -> Response<Body> {
    if let Err(no) = house.admit(&address, &request) {
        return no;
    }
    let Ok(record) = record.parse() else { return of(No::Nothing("that is no hash of a record")) };
    house.visitors.patient(&address);
    let answer = house.line.receipt(record).await;
    house.visitors.allow(&address, HEAD);
    answer.map_or_else(of, |text| plain(StatusCode::OK, text))
}

impl House {
    /// Who asks, if that one may: the beginning of its certificate's hash, or its address.
    #[expect(clippy::result_large_err, reason = "the answer is sent as it is")]
    fn admit(&self, address: &SocketAddr, request: &Request) -> Result<String, Response<Body>> {
        let certificate = self.visitors.certificate(address);
        let client = certificate.map_or_else(|| address.ip().to_string(), |hash| hash.short());
        let mut rate = self.rate.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !rate.allows(&client, self.began.elapsed()) {
            let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, "too many requests\n".into());
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return Err(answer);
        }
        drop(rate);
        if let Some(bearer) = &self.bearer {
            let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
            if !shown.is_some_and(|shown| bearer.is_in(shown)) {
                return Err(of(denied(Code::AuthenticationFailed, "the bearer token is missing or wrong")));
            }
        }
        if !self.stations.is_empty() && !certificate.is_some_and(|shown| self.stations.contains(&shown)) {
            return Err(of(denied(Code::AccessDenied, "this station may not send here")));
        }
        Ok(client)
    }
}

fn of(no: No) -> Response<Body> {
    match no {
        No::Refused(refusal) => refused(StatusCode::BAD_REQUEST, &refusal),
        No::Nothing(text) => plain(StatusCode::NOT_FOUND, format!("{text}\n")),
        No::Later(text) => {
            let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, format!("{text}\n"));
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
            answer
        }
    }
}

/// Cut off, or too slow: whoever still listens sends the record again, over another connection. The record may be good.
fn broke_off() -> Response<Body> {
    let mut answer = plain(StatusCode::REQUEST_TIMEOUT, "the record broke off, or came too slowly\n".into());
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// RFC 8935 section 2.3.
fn refused(status: StatusCode, refusal: &answer::Refusal) -> Response<Body> {
    let mut answer = plain(status, refusal.to_json());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"));
    answer
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let empty = text.is_empty();
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !empty {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    answer
}
