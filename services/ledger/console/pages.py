"""The pages. Whoever signs in sees what the key may see, and no more; every value is escaped by the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from complaints.adapters.problems import Problem
from complaints.codec import builtins
from complaints.desk_view import DeskView
from complaints.errors import Malformed, Unknown
from complaints.identity import EVERY_DESK
from ledger.casebook import NOW, Past, no_such_complaint
from ledger.casefile import case_file
from ledger.console.words import LANGUAGES, language_of, words
from ledger.door import COOKIE, asking, known
from ledger.lists import PARTS
from ledger.paging import USUAL, instant, next_link, whole
from ledger.parts import Parts
from ledger.register import question
from ledger.viewing import Viewer, need_desk, viewer

HERE: Final = Path(__file__).parent
STATIC: Final = {"console.css": "text/css", "board.js": "text/javascript"}
LANGUAGE: Final = "redress_lang"
MOST_BYTES: Final = 10_000
FILTERS: Final = (
    "status", "overdue", "breached", "undecided", "grade", "owner", "holder", "assignee", "channel", "text",
)  # fmt: skip
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def _wall(at: datetime | str | None, zone: str) -> str:
    """An instant as the desk's wall time."""
    return "" if at is None else _instant(at).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def _local(at: datetime | str | None, zone: str) -> str:
    """An instant as an input of a form shows it."""
    return _wall(at, zone).replace(" ", "T")


def _iso(at: datetime | str) -> str:
    return _instant(at).isoformat()


def _instant(at: datetime | str) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)


def environment() -> Environment:
    """The templates: everything is escaped; what an entry does not say reads as nothing."""
    found = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
    found.filters |= {"wall": _wall, "local": _local, "iso": _iso}
    return found


class Console:
    """Every page."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._environment = parts, environment()

    def add_to(self, router: APIRouter) -> None:
        """Adds them; they are no part of the API."""
        pages: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/", self.home),
            ("GET", "/login", self.login),
            ("POST", "/login", self.signed_in),
            ("POST", "/logout", self.signed_out),
            ("GET", "/static/{name}", self.static),
            ("GET", "/desks/{desk}/board", self.board),
            ("GET", "/desks/{desk}/register", self.register),
            ("GET", "/desks/{desk}/work", self.work),
            ("GET", "/desks/{desk}/duties", self.duties),
            ("GET", "/complaints/{complaint}", self.case),
        )
        for method, path, endpoint in pages:
            router.add_api_route(path, endpoint, methods=[method], response_model=None, include_in_schema=False)

    # --- signing in ---
    async def home(self, request: Request) -> Response:
        """The desks; of a key of one desk, its board."""
        who = known(request)
        if who.desk != EVERY_DESK:
            return RedirectResponse(f"/desks/{who.desk}/board", 303)
        return self._page(request, "desks.html", desks=await self._parts.views.list())

    async def login(self, request: Request) -> Response:
        """Asks for a key."""
        return self._page(request, "login.html", next=_inside(request.query_params.get("next")), wrong=False)

    async def signed_in(self, request: Request) -> Response:
        """Keeps the key in a cookie that no script reads and no other site sends."""
        form = await _form(request)
        key, where = form.get("key", "").strip(), _inside(form.get("next"))
        try:
            await self._parts.views.authenticate(key)
        except Unknown:
            return self._page(request, "login.html", status=401, next=where, wrong=True)
        response = RedirectResponse(where, 303)
        secure = self._parts.public_url.startswith("https:")
        response.set_cookie(COOKIE, key, httponly=True, samesite="strict", secure=secure, path="/")
        return response

    async def signed_out(self, request: Request) -> Response:  # noqa: ARG002 - every page is asked so
        """Forgets the key."""
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/")
        return response

    async def static(self, name: str) -> Response:
        """The style sheet and the script of the board."""
        if name not in STATIC:
            raise Unknown("no-such-route", f"there is no {name}")
        return FileResponse(HERE / "static" / name, media_type=STATIC[name], headers={"Cache-Control": "max-age=300"})

    # --- pages of a desk ---
    async def board(self, request: Request, desk: str) -> Response:
        """What needs a person now."""
        _, view = await self._of_desk(request, desk)
        position = await self._parts.lists.written_upto(self._parts.partitions)
        page = await self._parts.lists.escalations(desk, {"open": "true", **request.query_params})
        more = _more(request, page.after)
        return self._page(
            request, "board.html", view=view, page="board", entries=page.entries, more=more, position=position
        )

    async def register(self, request: Request, desk: str) -> Response:
        """The register with its filters."""
        asks, view = await self._of_desk(request, desk)
        asked = {name: value for name, value in request.query_params.items() if value}
        hidden = asks.hidden_in_lists(view.procedure) if view.pack is not None else frozenset[str]()
        page = await self._parts.registers.page(question(desk, asked, hidden), self._parts.now())
        csv = f"/v1/desks/{quote(desk)}/register?" + urlencode({
            **{name: value for name, value in asked.items() if name not in ("after", "limit", "lang")},
            "format": "csv",
        })  # fmt: skip
        return self._page(
            request,
            "register.html",
            view=view,
            page="register",
            rows=page.rows,
            more=_more(request, page.after),
            csv=csv,
            asked={name: asked.get(name) for name in FILTERS},
        )

    async def work(self, request: Request, desk: str) -> Response:
        """What is owed, in four parts."""
        _, view = await self._of_desk(request, desk)
        query, now = request.query_params, self._parts.now()
        part, after = query.get("part"), query.get("after")
        if part is not None and part not in PARTS:
            raise Malformed("part", f"must be one of {', '.join(PARTS)}")
        parts = {
            name: await self._parts.lists.work(
                desk,
                name,
                now,
                role=query.get("role") or None,
                person=query.get("person") or None,
                limit=USUAL,
                after=after if part else None,
            )
            for name in (PARTS if part is None else (part,))
        }

        def further(name: str, cursor: str) -> str:
            kept = [(key, value) for key, value in query.multi_items() if key != "part"]
            return next_link(request.url.path, [*kept, ("part", name)], cursor)

        asked = {name: query.get(name) for name in ("role", "person")}
        return self._page(request, "work.html", view=view, page="work", parts=parts, further=further, asked=asked)

    async def duties(self, request: Request, desk: str) -> Response:
        """What the desk owes without a case, and its reports."""
        _, view = await self._of_desk(request, desk)
        page = await self._parts.lists.duties(desk, request.query_params, self._parts.now())
        more = _more(request, page.after)
        return self._page(request, "duties.html", view=view, page="duties", entries=page.entries, more=more)

    # --- a case ---
    async def case(self, request: Request, complaint: str) -> Response:
        """The case file, now or as it was; wall times are the desk's."""
        query = request.query_params
        asks = viewer(known(request), query.get("role") or None)
        now = self._parts.now()
        present = await self._parts.casebook.case(complaint, now)
        if not asks.who.sees(present.desk):
            raise no_such_complaint(complaint)
        past = NOW
        if query.get("step"):
            number = whole(query["step"], "step", 1, present.latest)
            past = Past(known_at=present.stored[number - 1].recorded_at)
        elif query.get("as_of") or query.get("known_at"):
            zone = ZoneInfo(present.view.timezone)
            past = Past(as_of=_typed(query, "as_of", zone), known_at=_typed(query, "known_at", zone))
        case = await self._parts.casebook.case(complaint, now, past) if past.asked else present
        return self._page(request, "case.html", view=case.view, page="case", file=builtins(case_file(case, asks)))

    # --- what all of them have ---
    def problem(self, request: Request, problem: Problem) -> Response:
        """A problem as a page; whoever has not signed in is asked to."""
        if problem.status == 401 and request.method == "GET":
            where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?{urlencode({'next': where})}", 303)
        return self._page(request, "problem.html", status=problem.status, problem=problem)

    async def _of_desk(self, request: Request, desk: str) -> tuple[Viewer, DeskView]:
        asks = viewer(known(request))
        need_desk(asks.who, desk)
        return asks, await self._parts.views.current(desk)

    def _page(
        self, request: Request, template: str, *, status: int = 200, view: DeskView | None = None, **values: Any
    ) -> Response:
        asked = request.query_params.get("lang")
        headers = request.headers
        lang = language_of(asked, request.cookies.get(LANGUAGE), headers.get("accept-language", ""))

        def here(language: str) -> str:
            kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
            return f"{request.url.path}?{urlencode([*kept, ('lang', language)])}"

        found = request.scope.get("redress.asking") and asking(request).who
        common = {
            "lang": lang,
            "w": words(lang),
            "here": here,
            "who": found,
            "desk": view.desk if view is not None else None,
            "zone": view.timezone if view is not None else "UTC",
            "page": None,
        }
        text = self._environment.get_template(template).render({**common, **values})
        response = HTMLResponse(text, status, headers=dict(HEADERS))
        if asked in LANGUAGES:
            response.set_cookie(LANGUAGE, asked, httponly=True, samesite="lax", path="/")
        return response


def _more(request: Request, after: str | None) -> str | None:
    return None if after is None else next_link(request.url.path, request.query_params.multi_items(), after)


def _typed(query: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime | None:
    """An instant that somebody typed: with an offset, or as the desk's wall time. Raises Malformed."""
    value = query.get(name)
    try:
        wall = datetime.fromisoformat(value) if value else None
    except ValueError:
        wall = None
    if wall is not None and wall.tzinfo is None:
        return wall.replace(tzinfo=zone)
    return instant(value, name)


def _inside(where: str | None) -> str:
    """A place of ours to go to; never another site's."""
    if where is None or not where.startswith("/") or where.startswith(("//", "/\\")):
        return "/"
    return where if where.isprintable() else "/"


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form. Raises Malformed."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Malformed("form", f"must be at most {MOST_BYTES} bytes")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Malformed("form", "must be a form, URL-encoded") from None
    return {name: values[0] for name, values in fields.items()}
