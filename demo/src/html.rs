//! The two demo pages' common frame, and escaping. Plain HTML without JavaScript.

use std::fmt;

/// Text made safe for HTML content and double-quoted attributes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                other => fmt::Write::write_char(formatter, other)?,
            }
        }
        Ok(())
    }
}

/// A whole page around `body`, which must be escaped already.
pub(crate) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>{}</title>\
         <style>{STYLE}</style></head><body><main>{body}</main></body></html>",
        Escaped(title)
    )
}

const STYLE: &str = "
:root{color-scheme:light dark;--paper:#f7f6f2;--card:#fff;--ink:#16232b;--soft:#51616b;--line:#dedbd2;--river:#0b5e63;--wash:#e6f0ef}
@media(prefers-color-scheme:dark){:root{--paper:#0f171b;--card:#162127;--ink:#e9eef0;--soft:#9fb0b8;--line:#27353c;--river:#6fc3c1;--wash:#15333a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 Inter,ui-sans-serif,system-ui,sans-serif}
main{max-width:640px;margin:0 auto;padding:40px 20px 80px}
h1{font-size:clamp(26px,5vw,34px);line-height:1.2;letter-spacing:-.015em;margin:0 0 8px}
p{margin:0 0 20px;color:var(--soft)}a{color:var(--river);text-underline-offset:3px}
ul{list-style:none;margin:0;padding:0}
.card{background:var(--card);border:1px solid var(--line);border-radius:16px;overflow:hidden}
.card:empty{display:none}
.card li+li{border-top:1px solid var(--line)}
.row{display:flex;gap:12px;align-items:center;width:100%;min-height:60px;padding:10px 18px;border:0;background:none;color:inherit;font:inherit;text-align:left;text-decoration:none;cursor:pointer}
.row:hover{background:var(--wash)}
.row b,.row small{display:block}.row b{font-weight:600}small{color:var(--soft);font-size:14px;overflow-wrap:anywhere}
.row>span:first-child{flex:1;min-width:0}
@media(max-width:480px){.row:has(>small){flex-direction:column;align-items:start;gap:0}}
.tag{font-size:13px;color:var(--soft);border:1px solid var(--line);border-radius:99px;padding:1px 9px;white-space:nowrap}
.search{display:flex;gap:10px;margin:0 0 20px;align-items:end}.search label{flex:1;font-size:14px;color:var(--soft)}
input{display:block;width:100%;min-height:44px;margin-top:4px;padding:9px 13px;font:inherit;color:var(--ink);background:var(--card);border:1.5px solid var(--soft);border-radius:10px}
.btn{min-height:44px;padding:9px 18px;font:inherit;font-weight:600;color:var(--ink);background:none;border:1px solid var(--soft);border-radius:10px;cursor:pointer}
a.btn{display:inline-block;text-decoration:none}
:focus-visible{outline:3px solid var(--river);outline-offset:2px}.row:focus-visible{outline-offset:-3px}
dl{display:grid;grid-template-columns:auto 1fr;gap:4px 14px;margin:0 0 20px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
iframe{display:block;width:100%;height:60vh;border:1px solid var(--line);border-radius:16px;background:#fff}
pre{margin:0 0 20px;padding:18px;white-space:pre-wrap;overflow-wrap:anywhere;font:14px/1.55 ui-monospace,Menlo,monospace;background:var(--card);border:1px solid var(--line);border-radius:16px}
";
