//! Which path is answered by what, and behind which guards.

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

use crate::auth::authenticate;
use crate::lifecycle::lifecycle;
use crate::middleware::csrf;
use crate::routes::{
    assets, clerk_webhook, compliance, confirm_identity, consent, deletion, export, gpc, health, metrics, pages,
    renewal, sign_out,
};
use crate::state::AppState;

/// Forms and small JSON.
const BODY_LIMIT: usize = 64 * 1024;
/// Clerk's events carry whole users.
const WEBHOOK_BODY_LIMIT: usize = 1024 * 1024;

#[derive(OpenApi)]
#[openapi(info(
    title = "Lethe",
    description = "Preferences, export and deletion for the signed-in person. A session token of Clerk is expected, \
                   as a cookie or as `Authorization: Bearer`."
))]
struct ApiDescription;

/// The whole application.
pub fn router(server: AppState) -> Result<Router, ConfigError> {
    let (streams, streams_description) = OpenApiRouter::<AppState>::new()
        .routes(routes!(export::download))
        .routes(routes!(compliance::download))
        .split_for_parts();
    let (api, mut description) = OpenApiRouter::<AppState>::with_openapi(ApiDescription::openapi())
        .routes(routes!(consent::read, consent::change))
        .routes(routes!(deletion::delete))
        .routes(routes!(compliance::delete))
        .split_for_parts();
    description.merge(streams_description);

    // Pages are made for each request: a seventh smaller would cost three times the time of compressing.
    let compression = CompressionLayer::new().quality(CompressionLevel::Precise(1));
    let with_session = api
        .merge(leptos_routes())
        .route("/sign-out", post(sign_out::sign_out))
        .route("/confirm-identity", post(confirm_identity::begin))
        .route(renewal::PATH, get(renewal::page))
        .fallback(pages::not_found)
        .layer(compression.clone())
        .merge(streams)
        .layer(from_fn_with_state(server.clone(), authenticate))
        .layer(csrf::layer(&server.public_url)?)
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT));

    let webhooks = Router::new()
        .route("/api/webhooks/clerk", post(clerk_webhook::receive))
        .layer(RequestBodyLimitLayer::new(WEBHOOK_BODY_LIMIT));

    let without_session = Router::new()
        .route("/.well-known/gpc.json", get(gpc::statement))
        .route("/healthz", get(health::liveness))
        .route("/readyz", get(health::readiness))
        .route("/metrics", get(metrics::render))
        .route("/api/openapi.json", get(async move || Json(description.clone())))
        .layer(compression);

    Ok(with_session
        .merge(webhooks)
        .merge(without_session)
        .merge(assets::routes(&server.site))
        .layer(from_fn_with_state(server.clone(), lifecycle))
        .with_state(server))
}

/// The pages, as the app lists them, and its server functions.
fn leptos_routes() -> Router<AppState> {
    let mut router = Router::new();
    for listing in leptos_axum::generate_route_list(app::App) {
        router = router.route(listing.path(), get(pages::page));
    }
    for (path, method) in server_fn_paths() {
        let filter = MethodFilter::try_from(method).expect("server functions use ordinary methods");
        router = router.route(path, on(filter, pages::server_function));
    }
    router
}
