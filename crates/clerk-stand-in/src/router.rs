//! All routes on one port, and the task that delivers webhooks.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, header::DATE},
    middleware::{from_fn_with_state, map_response_with_state},
    response::Response,
};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tokio::net::TcpListener;
use tower::{Layer, util::MapRequestLayer};

use crate::{
    StandIn, api_error::ApiError, backend, control, faults, frontend, http_server, openapi, sign_in_page, webhooks,
};

impl StandIn {
    /// Serves requests and delivers webhooks until the future is dropped.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = router(&self);
        tokio::select! {
            served = http_server::serve(listener, router) => served,
            () = webhooks::deliver_events(self) => Ok(()),
        }
    }
}

fn router(stand_in: &StandIn) -> Router {
    let router = Router::new()
        .merge(backend::router(stand_in))
        .merge(frontend::router(stand_in))
        .merge(sign_in_page::router())
        .layer(from_fn_with_state(stand_in.faults().clone(), faults::apply))
        .merge(control::router())
        .fallback(|| async { ApiError::no_route() })
        .method_not_allowed_fallback(|| async { ApiError::no_method() })
        .layer(from_fn_with_state(stand_in.conformance().clone(), openapi::check_response))
        .layer(map_response_with_state(stand_in.clone(), set_date))
        .with_state(stand_in.clone());
    // A layer of the router itself would run after routing.
    Router::new().fallback_service(MapRequestLayer::new(override_method).layer(router))
}

/// Clerk's browser SDK sends every change as POST, which needs no preflight, and names the method in the query.
fn override_method(mut request: Request) -> Request {
    let is_post = request.method() == Method::POST;
    let method = request.uri().query().and_then(|query| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(name, value)| (name == "_method").then(|| value.parse().ok())?)
    });
    if let Some(method) = method.filter(|_| is_post) {
        *request.method_mut() = method;
    }
    request
}

/// Sets `Date` to the stand-in's time, which may differ from the system's.
async fn set_date(State(stand_in): State<StandIn>, mut response: Response) -> Response {
    const IMF_FIXDATE: &[BorrowedFormatItem<'_>] =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let now = OffsetDateTime::from_unix_timestamp(stand_in.now().div_euclid(1000)).ok();
    let text = now.and_then(|now| now.format(IMF_FIXDATE).ok()).and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(text) = text {
        response.headers_mut().insert(DATE, text);
    }
    response
}
