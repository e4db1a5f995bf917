"""A real front door on a loopback port, and executors and callers that speak HTTP to it."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import uvicorn

from app.config import Settings
from app.main import create_app
from app.protocol import GuardedProtocol

POSTER: dict[str, Any] = {
    "1": {"class_type": "Poster", "inputs": {"prompt": "hello", "seed": 1}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}},
}

OBJECT_INFO: dict[str, Any] = {
    "Poster": {
        "input": {
            "required": {
                "prompt": ["STRING", {"default": ""}],
                "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1}],
            },
            "optional": {"image": ["IMAGE"]},
        },
        "output": ["IMAGE"],
        "output_node": False,
    },
    "LoadImage": {
        "input": {"required": {"image": [["listed.png"], {"image_upload": True}]}},
        "output": ["IMAGE", "MASK"],
        "output_node": False,
    },
    "Scale": {
        "input": {
            "required": {
                "image": ["IMAGE"],
                "method": [["nearest-exact", "area"]],
                "width": ["INT", {"min": 1, "max": 4096}],
            }
        },
        "output": ["IMAGE"],
        "output_node": False,
    },
    "Checkpoint": {
        "input": {"required": {"ckpt_name": [["a.safetensors"]]}},
        "output": ["MODEL"],
        "output_node": False,
    },
    "SaveImage": {
        "input": {"required": {"images": ["IMAGE"], "filename_prefix": ["STRING", {}]}},
        "output": [],
        "output_node": True,
    },
}


@contextmanager
def serving(
    settings: Settings, protocol: type[GuardedProtocol] = GuardedProtocol
) -> Generator[str]:
    """A uvicorn in a thread; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    settings = settings.model_copy(update={"port": port})
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            http=protocol,
            log_config=None,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the front door did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@dataclass(slots=True)
class Executor:
    """A worker as the front door sees it: claims, and speaks for the run it was given."""

    url: str
    token: str
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10))
    ticket: dict[str, Any] = field(default_factory=dict[str, Any])
    seq: int = 0
    environment: str = "local"

    def register(self, object_info: dict[str, Any] | None = None, *, digest: str = "d1") -> None:
        """Say what it can run."""
        reply = self.client.put(
            f"{self.url}/internal/environments/{self.environment}/{digest}",
            headers=self._auth(self.token),
            json={
                "comfyui_version": "test",
                "is_engine": True,
                "python_version": "3",
                "devices": [],
                "object_info": OBJECT_INFO if object_info is None else object_info,
                "output_kinds": ["image"],
            },
        )
        assert reply.status_code == 204, reply.text

    def claim(self, claim_id: UUID | None = None) -> dict[str, Any] | None:
        """Start the next job."""
        reply = self.client.post(
            f"{self.url}/internal/claims",
            headers=self._auth(self.token),
            json={
                "claim_id": str(claim_id or uuid4()),
                "backend": "local",
                "environment": self.environment,
                "environment_digest": "d1",
                "executor_id": "test",
            },
        )
        if reply.status_code == 204:
            return None
        assert reply.status_code == 200, reply.text
        self.ticket, self.seq = reply.json(), 0
        return self.ticket

    def send(self, *events: dict[str, Any], **batch: Any) -> httpx.Response:
        """Report transitions, numbered."""
        numbered: list[dict[str, Any]] = []
        for event in events:
            self.seq += 1
            numbered.append({"client_seq": self.seq, "event": event})
        return self.send_raw({"transitions": numbered, **batch})

    def send_raw(self, body: dict[str, Any]) -> httpx.Response:
        """Report as given."""
        return self.client.post(
            f"{self.url}/internal/jobs/{self.ticket['job_id']}/events",
            headers=self._auth(self.ticket["event_token"]),
            json=body,
        )

    def register_output(self, **changes: Any) -> httpx.Response:
        """Ask for a place."""
        body = {"node_id": "2", "name": "a.png", "kind": "image", "content_type": "image/png"}
        return self.client.post(
            f"{self.url}/internal/jobs/{self.ticket['job_id']}/outputs",
            headers=self._auth(self.ticket["event_token"]),
            json={**body, "size_bytes": 3, **changes},
        )

    def put_output(self, content: bytes = b"png", **changes: Any) -> str:
        """Register, store and announce an output; returns its asset id."""
        grant = self.register_output(size_bytes=len(content), **changes)
        assert grant.status_code == 201, grant.text
        stored = self.client.put(
            grant.json()["url"], content=content, headers=grant.json()["headers"]
        )
        assert stored.is_success, stored.text
        asset_id: str = grant.json()["asset_id"]
        reply = self.send({"type": "output", "asset_id": asset_id, "blake3": None})
        assert reply.status_code == 200, reply.text
        return asset_id

    def succeed(self) -> None:
        """End well."""
        reply = self.send({"type": "succeeded", "timings_ms": {}})
        assert reply.status_code == 200, reply.text

    def _auth(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}


@dataclass(slots=True)
class Caller:
    """Somebody with a key."""

    url: str
    key: str
    workspace_id: UUID
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=f"{self.url}/api/v2",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30,
        )

    def submit(self, workflow: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
        """Submit a job."""
        reply = self.http.post("/jobs", json={"workflow": workflow or POSTER, **body})
        assert reply.status_code == 201, reply.text
        return reply.json()

    def job(self, job_id: str) -> dict[str, Any]:
        """The job now."""
        reply = self.http.get(f"/jobs/{job_id}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    def upload(self, content: bytes, file_path: str = "photo.png", **fields: Any) -> httpx.Response:
        """Upload as the official clients do: text parts first."""
        data: dict[str, Any] = {"content_type": "image/png", "file_path": file_path, **fields}
        parts: list[tuple[str, Any]] = []
        for name, value in data.items():
            items = cast(list[str], value if isinstance(value, list) else [value])
            parts += [(name, (None, item)) for item in items]
        return self.http.post("/assets", files=[*parts, ("file", (file_path, content))])
