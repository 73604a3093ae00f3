"""The console in a browser without JavaScript: who signs in sees what the key may see, in either language, escaped."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from html.parser import HTMLParser

import httpx
import pytest
import pytest_asyncio

from tests.contracts.ledger_world import LEAD, World, world

SCRIPT = "<script>alert(1)</script>"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    data = tmp_path_factory.mktemp("console")
    async with world(database_url, kafka_bootstrap_servers, topic_prefix, data) as found:
        yield found


@pytest_asyncio.fixture
async def browser(deployed: World) -> AsyncIterator[httpx.AsyncClient]:
    """Signed in with the key of the desk `plain`."""
    async with httpx.AsyncClient(base_url=deployed.ledger.url, follow_redirects=True, timeout=60) as client:
        await deployed.settled()
        answer = await client.post("/login", data={"key": deployed.keys["plain"]})
        assert answer.status_code == 200
        yield client


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


async def test_whoever_has_not_signed_in_is_asked_to_and_comes_back(deployed: World) -> None:
    async with httpx.AsyncClient(base_url=deployed.ledger.url, timeout=60) as client:
        answer = await client.get("/desks/plain/register?status=open")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=%2Fdesks%2Fplain%2Fregister%3Fstatus%3Dopen"
        wrong = await client.post("/login", data={"key": "rk_plain_x_y"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
        right = await client.post("/login", data={"key": deployed.keys["plain"], "next": "/desks/plain/work"})
        assert (right.status_code, right.headers["location"]) == (303, "/desks/plain/work")
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
            away = await client.post("/login", data={"key": deployed.keys["plain"], "next": elsewhere})
            assert away.headers["location"] == "/"
        out = await client.post("/logout")
        assert 'redress_key=""' in out.headers["set-cookie"]


@pytest.mark.parametrize("page", ["board", "register", "work", "duties"])
async def test_every_page_is_strict_accessible_and_in_the_language_asked_for(
    browser: httpx.AsyncClient, page: str
) -> None:
    for language, title in (("zh", "台账"), ("en", "Register")):
        answer = await browser.get(f"/desks/plain/{page}?lang={language}")
        assert answer.status_code == 200
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        found = Page(answer.text)
        assert ("html", {"lang": language}) in found.tags
        assert title in found.text
        labelled = len([tag for tag, _ in found.tags if tag == "label"])
        assert labelled >= len([tag for tag, said in found.tags if tag == "input" and said.get("type") != "hidden"])
        assert all("src" in said for tag, said in found.tags if tag == "script")
        assert not [name for _, said in found.tags for name in said if name.startswith("on") or name == "style"]


async def test_what_a_complaint_says_is_text_and_never_markup(deployed: World, browser: httpx.AsyncClient) -> None:
    case = await deployed.receive(facts={"content": SCRIPT, "product": SCRIPT}, complainant=f'"><img src=x>{SCRIPT}')
    await deployed.settled()
    for path in ("/desks/plain/register", f"/complaints/{case}", "/desks/plain/work"):
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert SCRIPT not in answer.text
        found = Page(answer.text)
        assert not [said for tag, said in found.tags if tag == "script" and "board.js" not in (said.get("src") or "")]
        assert "img" not in [tag for tag, _ in found.tags]
    assert SCRIPT in Page((await browser.get(f"/complaints/{case}")).text).text


async def test_a_case_is_shown_as_it_was_without_any_script(deployed: World, browser: httpx.AsyncClient) -> None:
    case = await deployed.receive()
    received = datetime.fromisoformat((await deployed.got(f"/v1/complaints/{case}/case-file"))["received_at"])
    deployed.ahead += timedelta(hours=1)
    await deployed.command(case, "assign", by=LEAD)
    now = Page((await browser.get(f"/complaints/{case}?lang=en")).text)
    assert "complaint.assigned" in now.text
    assert "第八条" in now.text
    wall = (received + timedelta(hours=8, minutes=10)).strftime("%Y-%m-%dT%H:%M:%S")  # Shanghai
    then = Page((await browser.get(f"/complaints/{case}?as_of={wall}")).text)
    assert "complaint.assigned" not in then.text
    assert "This is the past" in then.text
    first = Page((await browser.get(f"/complaints/{case}?step=1")).text)
    assert "complaint.assigned" not in first.text


async def test_another_desk_and_a_wrong_case_are_pages_that_say_so(browser: httpx.AsyncClient) -> None:
    for path in ("/desks/other/board", "/complaints/nonsense", "/nowhere", "/static/secret"):
        answer = await browser.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")


async def test_an_operator_chooses_a_desk(deployed: World) -> None:
    async with httpx.AsyncClient(base_url=deployed.ledger.url, follow_redirects=True, timeout=60) as client:
        answer = await client.post("/login", data={"key": deployed.keys["operator"]})
        links = {said.get("href") for tag, said in Page(answer.text).tags if tag == "a"}
        assert {"/desks/plain/board", "/desks/other/board"} <= links


async def test_a_value_that_is_sealed_from_the_key_is_told_as_such(deployed: World) -> None:
    case = await deployed.receive()
    deployed.keys["nobody"] = await deployed.key("plain", frontend="audit", roles=[], scopes=["read"])
    await deployed.settled()
    async with httpx.AsyncClient(base_url=deployed.ledger.url, timeout=60) as client:
        await client.post("/login", data={"key": deployed.keys["nobody"]})
        page = Page((await client.get(f"/complaints/{case}?lang=en")).text)
    assert "content: ‹sealed›" in page.text
    assert "leaks" not in page.text
