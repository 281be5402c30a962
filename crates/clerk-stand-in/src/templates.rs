//! The HTML pages, rendered from `templates/` with escaping.

use std::sync::LazyLock;

use minijinja::{Environment, Value};

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    for (name, source) in [
        ("layout.html", include_str!("../templates/layout.html")),
        ("sign_in.html", include_str!("../templates/sign_in.html")),
        ("invalid_redirect_url.html", include_str!("../templates/invalid_redirect_url.html")),
        ("unknown_account.html", include_str!("../templates/unknown_account.html")),
    ] {
        environment.add_template(name, source).expect("the templates are valid");
    }
    environment
});

/// Renders a template; values are escaped, as its name ends with `.html`.
pub(crate) fn render(name: &str, context: Value) -> String {
    let template = ENVIRONMENT.get_template(name).expect("the template exists");
    template.render(context).expect("the template's expressions are valid")
}
