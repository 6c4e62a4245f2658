"""A collector of OTLP over HTTP on loopback, which decodes what it is sent."""

import contextlib
import gzip
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.loopback import served

Attributes = dict[str, Any]


class Collector:
    """What came; with a `status` of its own it refuses everything."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.url = ""
        self.bodies: list[bytes] = []
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self._metrics: list[Any] = []

    async def traces(self, request: web.Request) -> web.Response:
        found = ExportTraceServiceRequest.FromString(await self._body(request))
        for resource in found.resource_spans:
            self.services.add(attributes(resource.resource.attributes)["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(status=self.status)

    async def metrics(self, request: web.Request) -> web.Response:
        found = ExportMetricsServiceRequest.FromString(await self._body(request))
        scopes = [scope for resource in found.resource_metrics for scope in resource.scope_metrics]
        self._metrics += [metric for scope in scopes for metric in scope.metrics]
        return web.Response(status=self.status)

    async def _body(self, request: web.Request) -> bytes:
        body = await request.read()
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        self.bodies.append(body)
        return body

    def points(self, name: str) -> list[tuple[float, Attributes]]:
        """Return a metric's latest points: the value, of a histogram the sum, and what it is of."""
        metric = next(metric for metric in reversed(self._metrics) if metric.name == name)
        kind = metric.WhichOneof("data")
        found = []
        for point in getattr(metric, kind).data_points:
            value = point.sum if kind == "histogram" else point.as_double or point.as_int
            found.append((value, attributes(point.attributes)))
        return found

    def total(self, name: str, key: str = "", wanted: object = None) -> float:
        """Return the sum of a metric's points, or of those of which `key` is as wanted."""
        return sum(value for value, found in self.points(name) if found.get(key) == wanted)

    def named(self, word: str) -> list[Span]:
        return [span for span in self.spans if span.name.split()[0] == word]


def attributes(pairs: Any) -> Attributes:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    return getattr(pair.value, kind) if kind else None


@contextlib.contextmanager
def collecting(status: int = 200) -> Iterator[Collector]:
    collector = Collector(status)
    application = web.Application(client_max_size=64 * 2**20)
    application.router.add_post("/v1/traces", collector.traces)
    application.router.add_post("/v1/metrics", collector.metrics)
    with served(application) as root:
        collector.url = root
        yield collector
