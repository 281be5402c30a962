//! The HTML document around every page, and the router.

use leptos::config::LeptosOptions;
use leptos::prelude::*;
use leptos_meta::{MetaTags, provide_meta_context};
use leptos_router::components::Router;

use crate::pages::Pages;
use crate::server::context::Site;

/// The whole document. The server renders it for each request, with the values of
/// [`crate::server::context`] in Leptos' context.
///
/// It loads no scripts: a page with islands brings them itself, so that the other pages load nothing.
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

/// The router with every page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Pages/>
        </Router>
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use insta::assert_snapshot;

    use super::*;
    use crate::rendering::{HOSTILE, Page, document, options, user};

    async fn signed_out(path: &str) -> Page {
        document(path, None, || shell(options())).await
    }

    #[tokio::test]
    async fn signed_out_the_first_page_says_what_can_be_done() {
        let page = signed_out("/").await;
        assert_eq!(page.status, 200);
        assert_snapshot!(page.lines());
    }

    #[tokio::test]
    async fn page_without_islands_loads_no_script() {
        for path in ["/", "/delete", "/nothing"] {
            let page = signed_out(path).await;
            assert!(!page.html.contains("/pkg/lethe-1f2e.js"), "{path}");
        }
    }

    #[tokio::test]
    async fn page_for_users_asks_to_sign_in() {
        let page = signed_out("/delete").await;
        assert_eq!(page.status, 401);
        assert!(page.html.contains("https://accounts.example.org/sign-in?redirect_url=%2F"));
    }

    #[tokio::test]
    async fn unknown_address_is_not_found() {
        let page = signed_out("/nothing").await;
        assert_eq!(page.status, 404);
        assert_snapshot!(page.lines());
    }

    #[tokio::test]
    async fn name_is_never_markup() {
        let page = document("/nothing", Some(user(HOSTILE)), || shell(options())).await;
        assert!(!page.html.contains("<script>alert"));
        assert!(!page.html.contains("<b title"));
    }

    /// Leptos doesn't escape the content of a text area, so the sources may not contain one.
    #[test]
    fn sources_contain_no_text_area() {
        fn check(folder: &Path) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    check(&path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    assert!(!text.contains(&["<text", "area"].concat()), "{}", path.display());
                }
            }
        }
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    }
}
