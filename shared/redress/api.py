"""The running system's HTTP API, as commands of the command line use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

import httpx
import typer

from complaints.codec import to_json
from complaints.errors import RedressError

LOCAL = "http://127.0.0.1:8080"
SECONDS = 60.0

Url = Annotated[str, typer.Option("--url", envvar="REDRESS_URL", help="Where intake answers.")]
Key = Annotated[
    str,
    typer.Option("--key", envvar="REDRESS_KEY", help="The key to speak with.", show_envvar=True, show_default=False),
]


class ApiRefused(RedressError):
    """The system answered that something is wrong; ``code`` is the problem's."""

    def __init__(self, code: str, why: str, **data: Any) -> None:
        super().__init__(why, **data)
        self.code = code


class Unreachable(RedressError):
    """Nobody answers there."""

    code = "unreachable"


@dataclass(frozen=True, slots=True)
class Api:
    """A running system and the key to speak to it with."""

    url: str
    key: str

    def get(self, path: str) -> Any:
        """What a path shows. Raises ApiRefused, Unreachable."""
        return self._asked("GET", path)

    def post(self, path: str, body: Any) -> Any:
        """What a request answers; an answer that is lost on its way is asked for once more. As ``get``."""
        return self._asked("POST", path, content=to_json(body), once=str(uuid4()))

    def _asked(self, method: str, path: str, *, content: bytes | None = None, once: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        if once is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": once}
        try:
            with httpx.Client(
                base_url=self.url, headers=headers, timeout=SECONDS, transport=httpx.HTTPTransport(retries=1)
            ) as client:
                try:
                    answer = client.request(method, path, content=content)
                except httpx.RemoteProtocolError:  # the same key makes the second the same request
                    answer = client.request(method, path, content=content)
        except httpx.HTTPError as error:
            raise Unreachable(f"{self.url} does not answer: {error}", url=self.url) from None
        if not answer.is_success:
            raise _refused(answer)
        return answer.json()


def _refused(answer: httpx.Response) -> ApiRefused:
    """The problem document as an error; what is none is told by its status."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return ApiRefused(f"http-{answer.status_code}", answer.text[:500] or answer.reason_phrase)
    known = {"type", "title", "status", "detail", "code", "instance"}
    data = {name: value for name, value in problem.items() if name not in known}
    why = problem.get("detail") or problem.get("title") or answer.reason_phrase
    return ApiRefused(str(problem.get("code", f"http-{answer.status_code}")), str(why), **data)
