"""S3 on loopback: a real server over HTTP, whose answers to single requests may be replaced."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

Refuse = Callable[[str, str], "tuple[int, str] | None"]
BODY = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} here</Message></Error>"


def nothing(method: str, path: str) -> tuple[int, str] | None:
    """Refuse no request."""
    return None


@dataclass
class Store:
    """The server: `refuse` gives the status and code of the answer to a request by its method and path, or None."""

    url: str = ""
    refuse: Refuse = nothing

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key-of-the-tests",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }

    @functools.cached_property
    def client(self) -> Any:
        """A client of its own, to make and look into buckets."""
        words = {name.lower(): value for name, value in self.environment.items() if "_KEY" in name}
        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", **words)

    def objects(self, url: str) -> dict[str, bytes]:
        """Return all objects of a bucket, given by its URL."""
        bucket = url.removeprefix("s3://")
        found = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {one["Key"]: self.client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in found}


@contextlib.contextmanager
def storing() -> Iterator[Store]:
    """Serve a store for the block."""
    store, behind = Store(), DomainDispatcherApplication(create_backend_app)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        refused = store.refuse(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if refused is None:
            answered: Iterable[bytes] = behind(environ, start)
            return answered
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code = refused
        start(f"{status} {code}", [("Content-Type", "application/xml")])
        return [BODY.format(code=code).encode()]

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    store.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        if "client" in vars(store):
            store.client.close()  # or its sockets are found open by whichever test comes next
        server.shutdown()
        thread.join()
        server.server_close()
