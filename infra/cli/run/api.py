"""The public API as `comfyburst run` speaks it: every call that may be repeated is."""

import json
import mimetypes
import os
import time
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast

import blake3
import httpx
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from infra.cli.run.sse import ServerEvent, read_events

HELD_AGAIN_AFTER_S: Final = 0.3
TERMINAL: Final = frozenset({"succeeded", "failed", "canceled", "expired"})
# Keep-alive comments come every 10 s.
STREAM_IDLE_S: Final = 35.0
REPEAT_FOR_S: Final = 60.0
_PASSING: Final = frozenset({429, 500, 502, 503, 504})

Json = dict[str, Any]


class ApiError(Exception):
    """A refusal of the front door."""

    def __init__(self, status: int, code: str, message: str, details: Json) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the front door is, and the key for it."""

    base_url: str
    api_key: str | None

    @classmethod
    def find(cls, state: Path, environ: Mapping[str, str] = os.environ) -> "Endpoint | None":
        """From COMFY_BASE_URL and COMFY_API_KEY, else from what runs here; None without either."""
        if base_url := environ.get("COMFY_BASE_URL"):
            return cls(base_url.rstrip("/"), environ.get("COMFY_API_KEY") or None)
        try:
            ready = cast("Json", json.loads((state / "ready.json").read_text()))
        except (OSError, ValueError):
            return None
        key = environ.get("COMFY_API_KEY") or ready.get("api_key")
        return cls(str(ready["url"]).rstrip("/"), key)


@dataclass(frozen=True, slots=True)
class Api:
    """Calls of one command; `open_api` makes it."""

    http: httpx.Client

    def submit(
        self,
        workflow: Mapping[str, Any] | str,
        *,
        inputs: Mapping[str, Any] | None = None,
        strip_metadata: bool = False,
    ) -> Json:
        """Record a job of a graph, or of a named workflow with its inputs.

        The key makes a repeated call find the job of the first one.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        # Said only where it is asked for: another server of the same API need not know it.
        body = {"workflow": workflow, **({"strip_metadata": True} if strip_metadata else {})}
        if inputs is not None:
            body["inputs"] = inputs
        return self._repeated("POST", "jobs", json=body, headers=headers)

    def call(self, method: str, path: str, **arguments: Any) -> Json:
        """Any call that may be repeated; of an answer without a body an empty object."""
        return self._repeated(method, path, **arguments)

    def call_once(self, method: str, path: str, **arguments: Any) -> Json:
        """A call whose repetition would do more."""
        return _json(self.http.request(method, path, **arguments))

    def job(self, job_id: str) -> Json:
        """A job as it stands; one call, so that the caller decides how long to insist."""
        return _json(self.http.get(f"jobs/{job_id}"))

    def job_when_ended(self, job_id: str, wait_s: float) -> Json:
        """A job as soon as it has ended, or as it stands after `wait_s`."""
        until = time.monotonic() + wait_s
        while True:
            # A hold may be answered early: whoever has just left a stream is not held at first.
            left_s = max(0.0, until - time.monotonic())
            job = _json(self.http.get(f"jobs/{job_id}", params={"wait": left_s}))
            if job["status"] in TERMINAL or not left_s:
                return job
            time.sleep(min(HELD_AGAIN_AFTER_S, left_s))

    def cancel(self, job_id: str) -> Json:
        """Cancel it."""
        return self._repeated("POST", f"jobs/{job_id}/cancel")

    def events(self, job_id: str, last_event_id: str | None) -> Iterator[ServerEvent]:
        """The stream of a job until the front door ends it.

        Raises:
            httpx.HTTPError: the stream broke.
        """
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        timeout = httpx.Timeout(10.0, read=STREAM_IDLE_S)
        url = f"jobs/{job_id}/events"
        with self.http.stream("GET", url, headers=headers, timeout=timeout) as reply:
            if not reply.is_success:
                reply.read()
                raise _error(reply)
            yield from read_events(reply.iter_lines())

    @contextmanager
    def content(self, asset_id: str) -> Generator[Iterator[bytes]]:
        """The bytes of an output."""
        with self.http.stream("GET", f"assets/{asset_id}/content", timeout=60.0) as reply:
            if not reply.is_success:
                reply.read()
                raise _error(reply)
            yield reply.iter_bytes()

    def upload(self, path: Path) -> Json:
        """Make an asset of a file, without sending bytes that are known; returns its handle."""
        digest = f"blake3:{_blake3(path)}"
        asset = self._known(digest, path.name) or self._sent(digest, path)
        info = {name: asset[name] for name in ("id", "hash", "file_path") if asset.get(name)}
        return {"__type": "core/ASSET", "info": info}

    def _known(self, digest: str, name: str) -> Json | None:
        if self.http.head(f"assets/by-hash/{digest}").status_code != HTTPStatus.OK:
            return None
        try:
            body = {"hash": digest, "file_path": name}
            return self._repeated("POST", "assets/from-hash", json=body)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None  # it expired between the two calls

    def _sent(self, digest: str, path: Path) -> Json:
        content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        fields = {"content_type": content_type, "file_path": path.name, "expected_hash": digest}
        with path.open("rb") as file:
            return _json(
                self.http.post(
                    "assets",
                    data=fields,
                    files={"file": (path.name, file, content_type)},
                    timeout=httpx.Timeout(10.0, read=300.0, write=60.0),
                )
            )

    def _repeated(self, method: str, path: str, **arguments: Any) -> Json:
        retrying = Retrying(
            retry=retry_if_exception(_is_worth_repeating),
            stop=stop_after_delay(REPEAT_FOR_S),
            wait=wait_exponential(multiplier=0.5, max=5),
            reraise=True,
        )
        return retrying(lambda: _json(self.http.request(method, path, **arguments)))


@contextmanager
def open_api(endpoint: Endpoint) -> Generator[Api]:
    """Connections for one command. Proxies of the environment are not for loopback."""
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    with httpx.Client(
        base_url=f"{endpoint.base_url}/api/v2/",
        headers=headers,
        timeout=httpx.Timeout(30.0, connect=5.0),
        follow_redirects=True,
        trust_env=not httpx.URL(endpoint.base_url).host.startswith(("127.", "localhost", "::1")),
    ) as http:
        yield Api(http)


def is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed in a moment."""
    if isinstance(error, ApiError):
        return error.status in _PASSING
    return isinstance(error, httpx.TransportError)


def _is_worth_repeating(error: BaseException) -> bool:
    """A restarting front door keeps its socket: where nobody listens, nothing will in a moment."""
    return is_passing(error) and not isinstance(error, httpx.ConnectError)


def _json(reply: httpx.Response) -> Json:
    if not reply.is_success:
        raise _error(reply)
    return cast("Json", reply.json()) if reply.content else {}


def _error(reply: httpx.Response) -> ApiError:
    try:
        envelope = cast("Json", reply.json())["error"]
        return ApiError(
            reply.status_code,
            str(envelope["code"]),
            str(envelope["message"]),
            cast("Json", envelope.get("details") or {}),
        )
    except (ValueError, KeyError, TypeError):
        text = reply.text[:300] or reply.reason_phrase
        return ApiError(reply.status_code, f"http_{reply.status_code}", text, {})


def _blake3(path: Path) -> str:
    hasher = blake3.blake3(max_threads=blake3.blake3.AUTO)
    hasher.update_mmap(path)
    return hasher.hexdigest()
