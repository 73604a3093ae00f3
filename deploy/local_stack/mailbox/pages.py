"""What the browser shows of the mailbox, and the same as JSON."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape

from local_stack.mailbox.store import Mail, MailStore

PAGE = 100
_HEADERS = {
    # A mail is somebody else's text: nothing in it may run, load or be framed elsewhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=select_autoescape(default=True)
)

Before = Annotated[str | None, Query(description="only mails older than the one with this id")]
To = Annotated[str | None, Query(description="only mails to this address")]
Limit = Annotated[int, Query(ge=1, le=1000)]


def create_app(store: MailStore) -> FastAPI:
    """The pages over ``store``."""
    app = FastAPI(title="Redress mailbox", docs_url=None, redoc_url=None)

    @app.get("/", response_class=HTMLResponse)
    def index(before: Before = None, to: To = None) -> HTMLResponse:
        mails, more = _page(store, before, to, PAGE)
        return _html("index.html", mails=mails, more=more, to=to, total=store.count())

    @app.get("/mails/{mail}.eml")
    def original(mail: str) -> Response:
        file = store.file(mail)
        if file is None:
            raise HTTPException(404, "no such mail")
        return FileResponse(file, media_type="message/rfc822", filename=file.name, headers=_HEADERS)

    @app.get("/mails/{mail}", response_class=HTMLResponse)
    def show(mail: str) -> HTMLResponse:
        return _html("mail.html", mail=_found(store, mail))

    @app.get("/api/mails")
    def listing(before: Before = None, to: To = None, limit: Limit = PAGE) -> dict[str, Any]:
        """``before`` in the answer is what asks for the next page, null on the last one."""
        mails, more = _page(store, before, to, limit)
        return {"total": store.count(), "mails": [_wire(mail) for mail in mails], "before": more}

    @app.get("/api/mails/{mail}")
    def one(mail: str) -> dict[str, Any]:
        return _wire(_found(store, mail))

    @app.get("/health/live")
    @app.get("/health/ready")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(
            {"title": error.detail, "status": error.status_code},
            error.status_code,
            media_type="application/problem+json",
        )

    return app


def _page(store: MailStore, before: str | None, to: str | None, limit: int) -> tuple[list[Mail], str | None]:
    found = list(islice(store.newest(before=before, to=to), limit + 1))
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def _found(store: MailStore, mail: str) -> Mail:
    found = store.get(mail)
    if found is None:
        raise HTTPException(404, "no such mail")
    return found


def _wire(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "received_at": mail.received_at.isoformat(),
        "from": mail.sender,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
    }


def _html(template: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(values), headers=_HEADERS)
