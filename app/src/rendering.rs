//! Renders pages in tests, through the same pipeline as the server.

use std::sync::Once;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use leptos::prelude::*;
use leptos_axum::{generate_route_list, render_app_async_with_context};
use leptos_meta::MetaTags;
use lethe::ClerkUserId;
use lethe_error_code::ErrorCode;

use crate::dto::UserHandle;
use crate::server::context::{RequestContext, SignInUrl, Site};
use crate::server::current_user::{Authentication, CurrentUser};

/// A name that would be a script if it weren't escaped.
pub(crate) const HOSTILE: &str = "</script><script>alert('1')</script><b title=\"x\">";

static ROUTES_LISTED: Once = Once::new();

/// A rendered page.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) html: String,
}

impl Page {
    /// Returns head and main part, one element per line, without what differs between builds.
    pub(crate) fn lines(&self) -> String {
        let start = self.html.find("<title").expect("the page has a title");
        let end = self.html.find("</main>").expect("the page has a main part") + "</main>".len();
        let mut html = self.html[start..end].replace("><", ">\n<").replace("<!>", "");
        while let Some(at) = html.find("<script") {
            let after = at + html[at..].find("</script>\n").expect("a script ends") + "</script>\n".len();
            html.replace_range(at..after, "");
        }
        html.lines().map(without_build).collect::<Vec<_>>().join("\n")
    }

    /// Returns the tag that contains `part`.
    pub(crate) fn tag(&self, part: &str) -> &str {
        let at = self.html.find(part).expect("the page contains the part");
        let start = self.html[..at].rfind('<').expect("the part is in a tag");
        let end = at + self.html[at..].find('>').expect("the tag ends");
        &self.html[start..=end]
    }
}

/// Removes an island's number and a nonce from a line.
fn without_build(line: &str) -> String {
    let mut line = line.to_owned();
    for (prefix, end) in [("data-component=\"", "\""), (" crossorigin=\"", "\"")] {
        if let Some(at) = line.find(prefix).map(|at| at + prefix.len()) {
            let end = at + line[at..].find(end).expect("an attribute ends");
            let name =
                line[at..end].split('_').next().filter(|_| prefix.contains("component")).unwrap_or("").to_owned();
            line.replace_range(at..end, &name);
        }
    }
    line
}

/// Renders a whole document, for this user or signed out.
pub(crate) async fn document<View: IntoView + 'static>(
    path: &str,
    user: Option<CurrentUser>,
    view: impl Fn() -> View + Clone + Send + Sync + 'static,
) -> Page {
    // As at startup, when no context exists. It also starts Leptos' executor.
    ROUTES_LISTED.call_once(|| {
        let routes = generate_route_list(crate::App);
        for path in ["/", "/delete", "/receipt/{code}"] {
            assert!(routes.iter().any(|route| route.path() == path), "{path}");
        }
    });
    let context = move || {
        provide_context::<Authentication>(user.clone().ok_or(ErrorCode::NotSignedIn));
        provide_context(RequestContext { incident: "0198c0de".to_owned(), nonce: String::new(), gpc: false });
        provide_context(SignInUrl("https://accounts.example.org/sign-in?redirect_url=%2F".to_owned()));
        provide_context(site());
    };
    let request = Request::get(path).body(Body::empty()).expect("the path is valid");
    let response = render_app_async_with_context(context, view)(request).await;
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("the page is rendered");
    Page { status, html: String::from_utf8(bytes.to_vec()).expect("a page is text") }
}

/// Renders one page's component within a bare document.
pub(crate) async fn page<View: IntoView + 'static>(view: impl Fn() -> View + Clone + Send + Sync + 'static) -> Page {
    let whole = move || {
        leptos_meta::provide_meta_context();
        let body = view();
        view! { <html><head><MetaTags/></head><body>{body}</body></html> }
    };
    document("/", Some(user("Ada Lovelace")), whole).await
}

/// A signed-in user with this name.
pub(crate) fn user(name: &str) -> CurrentUser {
    CurrentUser {
        clerk_user_id: ClerkUserId::parse("user_2abcdefghijklmnopqrstuvwxyz").expect("the id is valid"),
        user_handle: UserHandle::new("00ff00ff00ff00ff00ff00ff00ff00ff".to_owned()),
        former_handles: Vec::new(),
        session_id: "sess_1".to_owned(),
        email: Some("ada@example.org".to_owned()),
        name: Some(name.to_owned()),
        actor: None,
        recently_verified: true,
    }
}

pub(crate) fn options() -> LeptosOptions {
    LeptosOptions::builder().output_name("lethe-1f2e").build()
}

fn site() -> Site {
    Site {
        brand: "Northwind Journal".to_owned(),
        style_path: "/pkg/lethe-1f2e.css".to_owned(),
        font_path: "/pkg/inter-9c3d.woff2".to_owned(),
        contact_url: Some("mailto:privacy@example.org".to_owned()),
        privacy_notice_url: Some("https://example.org/privacy".to_owned()),
        application_url: Some("https://example.org/".to_owned()),
        content_language: Some("de".to_owned()),
        options: options(),
    }
}
