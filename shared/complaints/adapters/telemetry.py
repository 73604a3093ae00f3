"""What a process shows of itself: health, metrics, traces.

Metrics are those of ``prometheus_client``, each beside the code that counts; this module serves them. Traces are
OpenTelemetry's; nothing is traced unless the environment names an endpoint, and then a complaint's trace goes on
through its events' and commands' ``traceparent``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

Probe = Callable[[], str | None]
"""None when all is well, else why not; must not wait."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("redress")


class Health:
    """Whether a process can do its work now. Starts without probes, so: ready."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}

    def add(self, name: str, probe: Probe) -> None:
        """Asks ``probe`` too, from now on."""
        self._probes[name] = probe

    def failing(self) -> dict[str, str]:
        """Why it is not ready, by name of the probe; empty when it is."""
        return {name: why for name, probe in self._probes.items() if (why := probe())}


def health_routes(health: Health) -> list[BaseRoute]:
    """``/health/live``, ``/health/ready`` and ``/metrics``: for a service's own app, or for an app of their own."""

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> Response:
        failing = health.failing()
        return JSONResponse({"ready": not failing, "failing": failing}, status_code=503 if failing else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)]


def health_app(health: Health) -> Starlette:
    """The app of a process that serves nothing else."""
    return Starlette(routes=health_routes(health))


def set_up_tracing(service: str) -> None:
    """Exports traces over OTLP if the environment names an endpoint; else does nothing."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return
    # Only a process that traces pays for the exporter's import.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": f"redress-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


@contextmanager
def span(name: str, *, parents: Iterable[str | None] = (), **attributes: str | int) -> Iterator[None]:
    """A span: below the one parent, or linked to all of several, each a ``traceparent``. Attributes: ids and codes."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):  # nobody traces: no work for hundreds of parents
        yield
        return
    contexts = [_propagator.extract({"traceparent": parent}) for parent in dict.fromkeys(parents) if parent]
    links = [trace.Link(trace.get_current_span(context).get_span_context()) for context in contexts]
    with _tracer.start_as_current_span(
        name,
        context=contexts[0] if len(contexts) == 1 else None,
        links=links if len(contexts) > 1 else None,
        attributes={f"redress.{key}": value for key, value in attributes.items()},
        record_exception=False,  # an exception's message may quote what a complaint says
        set_status_on_exception=False,
    ):
        yield


def traceparent() -> str | None:
    """W3C trace context of the current span, to be carried on; None while nothing is traced."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def trace_id() -> str | None:
    """The current trace's id in hexadecimal; None while nothing is traced."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
