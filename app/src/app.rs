//! The document around every page, and the routes.

use leptos::config::LeptosOptions;
use leptos::prelude::*;
use leptos_meta::{MetaTags, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::api::context::Site;
use crate::pages::{Delete, Home, NotFound, Receipt};

/// The whole document. The server calls it once a request, with the values of
/// [`crate::api::context`] and a `lethe::Lethe` in the context.
///
/// The scripts that wake the islands are not here: a page that has islands brings them itself, so
/// that the others load nothing.
#[must_use]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    provide_meta_context();
    provide_context(options);
    let site = use_context::<Site>();
    let (style, font) = site.map(|site| (site.style_path, site.font_path)).unzip();
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                <link rel="stylesheet" href=style/>
                <link rel="preload" href=font r#as="font" r#type="font/woff2" crossorigin="anonymous"/>
                <link rel="icon" href="/favicon.svg" r#type="image/svg+xml"/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The routes.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=NotFound>
                <Route path=path!("/") view=Home ssr=SsrMode::Async/>
                <Route path=path!("/delete") view=Delete ssr=SsrMode::Async/>
                <Route path=path!("/receipt/:code") view=Receipt ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use insta::assert_snapshot;

    use super::*;
    use crate::rendering::{HOSTILE, Page, document, options, visitor};

    async fn signed_out(path: &str) -> Page {
        document(path, visitor(None), || shell(options())).await
    }

    #[tokio::test]
    async fn signed_out_the_first_page_says_what_can_be_done() {
        let page = signed_out("/").await;
        assert_eq!(page.status, 200);
        assert_snapshot!(page.lines());
    }

    #[tokio::test]
    async fn a_page_without_islands_loads_no_script() {
        for path in ["/", "/delete", "/nothing"] {
            let page = signed_out(path).await;
            assert!(!page.html.contains("/pkg/lethe-1f2e.js"), "{path}");
        }
    }

    #[tokio::test]
    async fn what_needs_a_person_asks_to_sign_in() {
        let page = signed_out("/delete").await;
        assert_eq!(page.status, 401);
        assert!(page.html.contains("https://accounts.example.org/sign-in?redirect_url=%2F"));
    }

    #[tokio::test]
    async fn an_unknown_address_is_not_found() {
        let page = signed_out("/nothing").await;
        assert_eq!(page.status, 404);
        assert_snapshot!(page.lines());
    }

    #[tokio::test]
    async fn a_name_is_never_markup() {
        let page = document("/nothing", visitor(Some(HOSTILE)), || shell(options())).await;
        assert!(!page.html.contains("<script>alert"));
        assert!(!page.html.contains("<b title"));
    }

    /// Leptos doesn't escape what stands in a text area.
    #[test]
    fn no_view_has_a_text_area() {
        fn look(folder: &Path) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    look(&path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    assert!(!text.contains(&["<text", "area"].concat()), "{}", path.display());
                }
            }
        }
        look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    }
}
