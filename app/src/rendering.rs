//! Renders pages in tests, by the pipeline that the server uses.

use std::sync::Once;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use leptos::prelude::*;
use leptos_axum::{generate_route_list, render_app_async_with_context};
use leptos_meta::MetaTags;
use lethe::ClerkUserId;

use crate::api::context::{Person, Site, Visitor};

/// A name that would be a script if it weren't escaped.
pub(crate) const HOSTILE: &str = "</script><script>alert('1')</script><b title=\"x\">";

static ROUTES_LISTED: Once = Once::new();

/// A rendered page.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) html: String,
}

impl Page {
    /// Head and main part, one element a line, without what differs from build to build.
    pub(crate) fn lines(&self) -> String {
        let start = self.html.find("<title").expect("there is a title");
        let end = self.html.find("</main>").expect("there is a main part") + "</main>".len();
        let mut shown = self.html[start..end].replace("><", ">\n<").replace("<!>", "");
        while let Some(at) = shown.find("<script") {
            let after = at + shown[at..].find("</script>\n").expect("a script ends") + "</script>\n".len();
            shown.replace_range(at..after, "");
        }
        shown.lines().map(without_build).collect::<Vec<_>>().join("\n")
    }

    /// The tag that holds `part`.
    pub(crate) fn tag(&self, part: &str) -> &str {
        let at = self.html.find(part).expect("the page holds the part");
        let start = self.html[..at].rfind('<').expect("it is in a tag");
        let end = at + self.html[at..].find('>').expect("the tag ends");
        &self.html[start..=end]
    }
}

/// A line without an island's number and a nonce.
fn without_build(line: &str) -> String {
    let mut line = line.to_owned();
    for (mark, end) in [("data-component=\"", "\""), (" crossorigin=\"", "\"")] {
        if let Some(at) = line.find(mark).map(|at| at + mark.len()) {
            let end = at + line[at..].find(end).expect("an attribute ends");
            let kept = line[at..end].split('_').next().filter(|_| mark.contains("component")).unwrap_or("").to_owned();
            line.replace_range(at..end, &kept);
        }
    }
    line
}

/// Renders a whole document.
pub(crate) async fn document<View: IntoView + 'static>(
    path: &str,
    visitor: Visitor,
    view: impl Fn() -> View + Clone + Send + Sync + 'static,
) -> Page {
    // As at start-up, where no context is there; it also starts what drives the rendering.
    ROUTES_LISTED.call_once(|| assert_eq!(generate_route_list(crate::App).len(), 3));
    let context = move || {
        provide_context(visitor.clone());
        provide_context(site());
    };
    let request = Request::get(path).body(Body::empty()).expect("a path makes a request");
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
    document("/", visitor(Some("Ada Lovelace")), whole).await
}

/// A visitor, signed in where there is a name.
pub(crate) fn visitor(name: Option<&str>) -> Visitor {
    let person = name.map(|name| Person {
        clerk_user_id: ClerkUserId::parse("user_2abcdefghijklmnopqrstuvwxyz").expect("it is an id"),
        session_id: "sess_1".to_owned(),
        email: Some("ada@example.org".to_owned()),
        name: Some(name.to_owned()),
        impersonated: false,
        recently_verified: true,
    });
    Visitor {
        person,
        gpc: false,
        incident: "0198c0de".to_owned(),
        sign_in_url: "https://accounts.example.org/sign-in?redirect_url=%2F".to_owned(),
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
        options: options(),
    }
}
