//! The files for the browser: hashed ones are cached for ever, the few others for an hour. The build compressed them.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use http::{HeaderValue, header};
use leptos::config::LeptosOptions;
use lethe_app::server::context::Site;
use serde::Deserialize;
use tower::ServiceBuilder;
use tower_http::services::{ServeDir, ServeFile};

use crate::state::AppState;

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const ONE_HOUR: &str = "public, max-age=3600";

/// The folder contains no built site.
#[derive(Debug, thiserror::Error)]
#[error("LETHE_SITE names {path}, which contains no built site: {reason}")]
pub struct SiteError {
    path: String,
    reason: String,
}

/// The names of the built files, as the build writes them to `assets.json`.
#[derive(Deserialize)]
struct AssetManifest {
    output_name: String,
    style: String,
    font: String,
}

/// Reads the manifest of a built site. What the operator has set is added by the caller.
pub fn load_site(folder: &Path, brand: &str) -> Result<Site, SiteError> {
    let error = |reason: String| SiteError { path: folder.display().to_string(), reason };
    let text =
        std::fs::read_to_string(folder.join("assets.json")).map_err(|cause| error(format!("assets.json: {cause}")))?;
    let manifest: AssetManifest =
        serde_json::from_str(&text).map_err(|cause| error(format!("assets.json: {cause}")))?;
    let options = LeptosOptions::builder()
        .output_name(Arc::<str>::from(manifest.output_name))
        .site_root(Arc::<str>::from(folder.to_string_lossy().into_owned()))
        .build();
    Ok(Site {
        brand: brand.to_owned(),
        style_path: manifest.style,
        font_path: manifest.font,
        contact_url: None,
        privacy_notice_url: None,
        application_url: None,
        content_language: None,
        options,
    })
}

/// Returns routes for all files of the site. The folder is listed once: files that are added later need a restart.
pub fn routes(site: &Site) -> Router<AppState> {
    let root = Path::new(&*site.options.site_root);
    let pkg = ServeDir::new(root.join(&*site.options.site_pkg_dir))
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip();
    let hashed = ServiceBuilder::new().map_response(|response| with_cache_control(response, IMMUTABLE)).service(pkg);
    let mut router = Router::new().nest_service("/pkg", hashed);
    for name in root_files(root) {
        let file = ServiceBuilder::new()
            .map_response(|response| with_cache_control(response, ONE_HOUR))
            .service(ServeFile::new(root.join(&name)));
        router = router.route_service(&format!("/{name}"), file);
    }
    router
}

/// Lists the files beside `pkg`: icons, robots.txt.
fn root_files(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
            name != "assets.json" && !matches!(extension, Some("br" | "gz")) && !name.contains(['{', '}', '*'])
        })
        .collect()
}

fn with_cache_control<B>(mut response: http::Response<B>, value: &'static str) -> http::Response<B> {
    if response.status().is_success() || response.status() == http::StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
    response
}
