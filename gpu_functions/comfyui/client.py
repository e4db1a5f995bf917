"""ComfyUI's HTTP interface: one method per request we make (facts/comfyui-protocol.md §1)."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from gpu_functions.comfyui.lenient import as_dict, as_list, parse
from gpu_functions.comfyui.outputs import OutputFile
from gpu_functions.contract import Graph, Json


class ComfyUnreachableError(Exception):
    """ComfyUI did not answer, or not as ComfyUI does."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The prompt is queued; `node_errors` names outputs that were silently left out."""

    node_errors: Json


@dataclass(frozen=True, slots=True)
class Refused:
    """The prompt did not pass validation."""

    status: int
    body: Json


@dataclass(frozen=True, slots=True)
class Queue:
    """Prompt ids, in ComfyUI's order."""

    running: tuple[str, ...]
    pending: tuple[str, ...]

    def __contains__(self, prompt_id: str) -> bool:
        return prompt_id in self.running or prompt_id in self.pending


@dataclass(slots=True)
class Abilities:
    """What one ComfyUI process has turned out to know."""

    cancels: bool = True
    """`POST /api/jobs/{id}/cancel`: newer than 0.8; asked for once, then known to be absent."""


@dataclass(frozen=True, slots=True)
class ComfyClient:
    """Typed calls. `http` has ComfyUI's address as its base URL and trusts no environment."""

    http: httpx.AsyncClient
    abilities: Abilities = field(default_factory=Abilities)

    async def submit(
        self, graph: Graph, *, prompt_id: str, client_id: str, extra_data: Json
    ) -> Accepted | Refused:
        """Queue a prompt under our own id."""
        body = {
            "prompt": graph,
            "prompt_id": prompt_id,
            "client_id": client_id,
            "extra_data": extra_data,
        }
        reply = await self._call("POST", "/prompt", json=body)
        answer = as_dict(parse(reply.content))
        if reply.status_code == 200:
            return Accepted(as_dict(answer.get("node_errors")))
        return Refused(reply.status_code, answer)

    async def history(self, prompt_id: str) -> Json | None:
        """The history entry; None while the prompt is unknown, pending or running."""
        reply = await self._get(f"/history/{prompt_id}")
        return as_dict(as_dict(parse(reply.content)).get(prompt_id)) or None

    async def queue(self) -> Queue:
        """What runs and what waits."""
        body = as_dict(parse((await self._get("/queue")).content))
        return Queue(_ids(body.get("queue_running")), _ids(body.get("queue_pending")))

    async def cancel(self, prompt_id: str) -> bool:
        """Take a prompt out of queue or run in one step; False where that did or could do nothing.

        An old ComfyUI has no such route and answers 404 without JSON (facts/comfyui-protocol.md §5).
        """
        if not self.abilities.cancels:
            return False
        reply = await self._call("POST", f"/api/jobs/{prompt_id}/cancel")
        answer = as_dict(parse(reply.content))
        self.abilities.cancels = bool(answer) or reply.status_code >= 500
        return answer.get("cancelled") is True

    async def delete_pending(self, prompt_id: str) -> None:
        """Take a prompt out of the queue; a running or unknown one is left alone."""
        await self._call("POST", "/queue", json={"delete": [prompt_id]})

    async def interrupt(self, prompt_id: str) -> None:
        """Interrupt this prompt if it is the running one; acts at the next step or node."""
        await self._call("POST", "/interrupt", json={"prompt_id": prompt_id})

    async def delete_history(self, prompt_id: str) -> None:
        """Forget a finished prompt."""
        await self._call("POST", "/history", json={"delete": [prompt_id]})

    async def free(self, *, unload_models: bool) -> None:
        """Drop the node cache, before the next prompt; and, where wanted, all models."""
        body = {"unload_models": unload_models, "free_memory": True}
        await self._call("POST", "/free", json=body)

    async def object_info(self) -> Json:
        """Every node class; 0.4 MB and up to 0.3 s, during which ComfyUI answers nothing else."""
        nodes = as_dict(parse((await self._get("/object_info", timeout_s=60)).content))
        if not nodes:
            raise ComfyUnreachableError("ComfyUI named no nodes")
        return nodes

    async def system_stats(self, *, timeout_s: float = 5) -> Json:
        """Versions and devices: the readiness probe."""
        stats = as_dict(parse((await self._get("/system_stats", timeout_s=timeout_s)).content))
        if "system" not in stats:
            raise ComfyUnreachableError("what answers there is not ComfyUI")
        return stats

    async def upload(self, file_name: str, size_bytes: int, body: AsyncIterator[bytes]) -> str:
        """Stream a file into the input folder; the name under which ComfyUI stored it."""
        boundary = "comfyburst-7d1f6a9c2b"
        head, tail = _multipart(boundary, file_name)

        async def parts() -> AsyncIterator[bytes]:
            yield head
            async for chunk in body:
                yield chunk
            yield tail

        reply = await self._call(
            "POST",
            "/upload/image",
            content=parts(),
            headers={
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(len(head) + size_bytes + len(tail)),
            },
            timeout=httpx.Timeout(10, read=120, write=120),
        )
        if reply.status_code != 200:
            raise ComfyUnreachableError(f"ComfyUI took no input file (HTTP {reply.status_code})")
        return str(as_dict(parse(reply.content)).get("name"))

    @asynccontextmanager
    async def view(self, file: OutputFile) -> AsyncGenerator[httpx.Response, None]:
        """Stream an output file; the response may be a 404."""
        params = {"filename": file.filename, "subfolder": file.subfolder, "type": file.folder}
        try:
            async with self.http.stream("GET", "/view", params=params) as reply:
                yield reply
        except httpx.TransportError as error:
            raise ComfyUnreachableError(str(error)) from error

    async def _get(self, path: str, *, timeout_s: float = 10) -> httpx.Response:
        reply = await self._call("GET", path, timeout=timeout_s)
        if reply.status_code != 200:
            raise ComfyUnreachableError(f"GET {path} answered HTTP {reply.status_code}")
        return reply

    async def _call(self, method: str, path: str, **options: object) -> httpx.Response:
        try:
            return await self.http.request(method, path, **options)  # pyright: ignore[reportArgumentType]
        except httpx.TransportError as error:
            raise ComfyUnreachableError(f"{type(error).__name__}: {error}") from error


def connect(url: str) -> httpx.AsyncClient:
    """An HTTP client for one ComfyUI. No proxy variable may send loopback traffic elsewhere."""
    return httpx.AsyncClient(
        base_url=url, trust_env=False, timeout=httpx.Timeout(10, connect=2), limits=_LIMITS
    )


_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=60)


def _ids(items: object) -> tuple[str, ...]:
    return tuple(str(as_list(item)[1]) for item in as_list(items) if len(as_list(item)) > 1)


def _multipart(boundary: str, file_name: str) -> tuple[bytes, bytes]:
    """What stands before and after the file in the form ComfyUI's upload reads."""
    # RFC 7578: quotes and line breaks are percent-encoded, everything else is UTF-8 as it is.
    quoted = file_name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("overwrite", "true"), ("type", "input"))
    )
    head = (
        f"{fields}--{boundary}\r\n"
        f'Content-Disposition: form-data; name="image"; filename="{quoted}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()
