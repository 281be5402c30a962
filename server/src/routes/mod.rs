//! The routes: one file per operation. This file says which path leads where, and through which layers.

pub mod assets;
pub mod clerk_webhook;
pub mod compliance;
pub mod confirm_identity;
pub mod consent;
pub mod deletion;
pub mod export;
pub mod gpc;
pub mod health;
pub mod metrics;
pub mod operator;
pub mod pages;
pub mod receipt;
pub mod renewal;
pub mod sign_out;

use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, get, on, post};
use axum::{Json, Router};
use leptos::server_fn::axum::server_fn_paths;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::ConfigError;
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{self, authenticate};
use crate::maintenance;
use crate::middleware::{self, csrf};
use crate::state::AppState;

/// For forms and small JSON documents.
const BODY_LIMIT_BYTES: usize = 64 * 1024;
/// Clerk's events contain whole users.
const WEBHOOK_BODY_LIMIT_BYTES: usize = 1024 * 1024;

#[derive(OpenApi)]
#[openapi(info(
    title = "Lethe",
    description = "Preferences, export and deletion for the signed-in user. Requires a session token of Clerk, as a \
                   cookie or as `Authorization: Bearer`."
))]
struct ApiDescription;

/// Builds the router.
pub fn router(state: AppState) -> Result<Router, ConfigError> {
    let (streams, streams_description) = OpenApiRouter::<AppState>::new()
        .routes(routes!(export::download))
        .routes(routes!(compliance::download))
        .split_for_parts();
    let (api, mut description) = OpenApiRouter::<AppState>::with_openapi(ApiDescription::openapi())
        .routes(routes!(consent::read, consent::change))
        .routes(routes!(consent::purposes))
        .routes(routes!(deletion::delete))
        .routes(routes!(compliance::delete))
        .routes(routes!(receipt::read))
        .split_for_parts();
    let (operator, operator_description) =
        OpenApiRouter::<AppState>::new().routes(routes!(operator::list_deletions)).split_for_parts();
    description.merge(streams_description);
    description.merge(operator_description);

    // Pages are compressed on each request: a better level would save a seventh and take three times as long.
    let compression = CompressionLayer::new().quality(CompressionLevel::Precise(1));
    let with_session = api
        .merge(leptos_routes())
        .route("/sign-out", post(sign_out::sign_out))
        .route("/confirm-identity", post(confirm_identity::begin))
        .route(auth::RENEWAL_PATH, get(renewal::page))
        .fallback(pages::not_found)
        .layer(compression.clone())
        .merge(streams)
        .layer(from_fn_with_state(state.clone(), authenticate))
        .layer(csrf::layer(&state.public_url)?)
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT_BYTES));

    let webhooks = Router::new()
        .route("/api/webhooks/clerk", post(clerk_webhook::receive))
        .layer(RequestBodyLimitLayer::new(WEBHOOK_BODY_LIMIT_BYTES));

    let without_session = Router::new()
        .route("/.well-known/gpc.json", get(gpc::statement))
        .route("/healthz", get(health::liveness))
        .route("/readyz", get(health::readiness))
        .route("/metrics", get(metrics::render))
        .route("/api/openapi.json", get(async move || Json(description.clone())))
        .layer(compression.clone());

    // A database that waits for a replay isn't read for anybody.
    let served = with_session
        .merge(webhooks)
        .merge(operator.layer(compression))
        .layer(from_fn_with_state(state.maintenance.clone(), maintenance::refuse));
    let router = served.merge(without_session).merge(assets::routes(&state.site));
    Ok(wrap(router, &state).with_state(state))
}

/// Adds the outer layers, which are the same for all routes.
pub fn wrap(router: Router<AppState>, state: &AppState) -> Router<AppState> {
    let parts = middleware::Parts {
        random: state.lethe.random.clone(),
        site: state.site.clone(),
        security_headers: state.security_headers.clone(),
    };
    middleware::wrap(router, parts)
}

/// The pages, as the app lists them, and its server functions.
fn leptos_routes() -> Router<AppState> {
    let mut router = Router::new();
    for listing in leptos_axum::generate_route_list(lethe_app::App) {
        router = router.route(listing.path(), get(pages::page));
    }
    for (path, method) in server_fn_paths() {
        let filter = MethodFilter::try_from(method).expect("server functions use ordinary methods");
        router = router.route(path, on(filter, pages::server_function));
    }
    router
}
