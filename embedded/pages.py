"""Plain pages for the steps of connecting a service. Everything shown in them is escaped."""

from html import escape

from starlette.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --paper: #ffffff; --back: #eef0f3; --line: #c9ced6;
  --accent: #2457c5; --on-accent: #ffffff; --bad: #a3261b }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #1d2126; --back: #131619;
  --line: #434a54; --accent: #8fb0ff; --on-accent: #0c1526; --bad: #ff9d92 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back) }
main { width: min(26rem, 100%); padding: 2rem; border: 1px solid var(--line); border-radius: .75rem;
  background: var(--paper) }
h1 { margin: 0 0 .75rem; font-size: 1.35rem; line-height: 1.25 }
p, ul { margin: 0 0 1rem }
label { display: block; margin-bottom: 1rem; font-weight: 600 }
input { display: block; width: 100%; margin-top: .25rem; padding: .55rem .7rem; font: inherit;
  color: inherit; background: transparent; border: 1px solid var(--line); border-radius: .4rem }
button { padding: .55rem 1.2rem; font: inherit; font-weight: 600; cursor: pointer; border-radius: .4rem;
  border: 1px solid var(--accent); color: var(--on-accent); background: var(--accent) }
button + button { margin-left: .5rem; color: var(--accent); background: transparent }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
[role=alert] { color: var(--bad); font-weight: 600 }
small { opacity: .8 }
"""


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """`title` is text; `body` is HTML that has been escaped where it had to be."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>",
        status,
        headers={"cache-control": "no-store", "referrer-policy": "no-referrer"},
    )


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def alert(text: str) -> str:
    return f'<p role="alert">{escape(text)}</p>' if text else ""


def field(label: str, name: str, kind: str = "text", value: str = "", autocomplete: str = "off") -> str:
    return (
        f'<label>{escape(label)}<input name="{escape(name)}" type="{escape(kind)}" '
        f'value="{escape(value)}" autocomplete="{escape(autocomplete)}" required></label>'
    )


def form(action: str, hidden: dict[str, str], *parts: str) -> str:
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
    )
    return f'<form method="post" action="{escape(action)}">{inputs}{"".join(parts)}</form>'


def button(text: str, name: str = "", value: str = "") -> str:
    named = f' name="{escape(name)}" value="{escape(value)}"' if name else ""
    return f"<button{named}>{escape(text)}</button>"
