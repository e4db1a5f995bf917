"""One large file by HTTPS: resumed after a cut, bounded, never half there under its own name.

What came so far lies beside the place as `NAME.part`, and `NAME.part.json` says of which file: a
server that has another one meanwhile is asked from the start.
"""

import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, cast
from urllib.parse import urljoin, urlsplit

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

MAX_REDIRECTS: Final = 5
ATTEMPTS: Final = 8
"""Of a round; one that brought bytes is followed by another."""
MAX_WAIT_S: Final = 30.0
TIMEOUT_S: Final = 30.0
"""Of one connect, and of one silent read."""

TOKENS: Final = {"huggingface.co": "HF_TOKEN", "civitai.com": "CIVITAI_API_TOKEN"}
"""Gated models: which variable holds the token of which host. No other host ever sees one."""

Told = Callable[[int], None]
"""Is told how many bytes are there, after each piece."""


class DownloadError(Exception):
    """A file could not be fetched; the message says why and what to do."""

    code: ClassVar = "model_download"


class _CutError(Exception):
    """A passing failure: what came is kept."""


@dataclass(frozen=True, slots=True)
class Download:
    """Fetches files. `tokens` are by host; `max_wait_s` bounds the pause between two attempts."""

    http: httpx.Client
    tokens: dict[str, str]
    max_wait_s: float = MAX_WAIT_S

    def fetch(self, url: str, target: Path, size_bytes: int, told: Told) -> Path:
        """The whole file, as its `.part`: the caller checks it and gives it its name.

        Raises:
            DownloadError: it is refused, of another size, or was cut again and again.
        """
        part = part_of(target)
        while True:
            before = bytes_of(part)
            retrying = Retrying(
                retry=retry_if_exception_type((_CutError, httpx.TransportError)),
                wait=wait_random_exponential(multiplier=0.5, max=self.max_wait_s),
                stop=stop_after_attempt(ATTEMPTS),
                reraise=True,
            )
            try:
                retrying(self._go_on, url, part, size_bytes, told)
            except (_CutError, httpx.TransportError) as error:
                if bytes_of(part) > before:
                    continue
                raise DownloadError(
                    f"{urlsplit(url).netloc} cut the download {ATTEMPTS} times "
                    f"({str(error) or type(error).__name__}) and no byte came. Run this again: "
                    f"{bytes_of(part):,} of {size_bytes:,} bytes are kept."
                ) from error
            return part

    def _go_on(self, url: str, part: Path, size_bytes: int, told: Told) -> None:
        """Bring the part file to its size, from where it is. Raises _CutError."""
        there = bytes_of(part)
        known = _read_mark(part, url)
        if there > size_bytes or (there and known is None):
            part.unlink()
            there = 0
        if there == size_bytes:
            return
        headers = {"Range": f"bytes={there}-", "If-Range": known} if there and known else {}
        with self._answer(url, headers) as answer:
            start = _start_of(answer, there, size_bytes)
            _write_mark(part, url, _validator(answer))
            _receive(answer, part, start, size_bytes, told)
        if bytes_of(part) < size_bytes:
            _fail_if_whole(answer, part, size_bytes)
            raise _CutError("the connection ended early")

    @contextmanager
    def _answer(self, url: str, headers: dict[str, str]) -> Generator[httpx.Response]:
        """The answer after redirects, each of which must stay on HTTPS."""
        for _ in range(MAX_REDIRECTS + 1):
            host = urlsplit(url).hostname or ""
            token = self.tokens.get(host)
            ours = {"Authorization": f"Bearer {token}"} if token else {}
            with self.http.stream("GET", url, headers={**headers, **ours}) as answer:
                if not answer.has_redirect_location:
                    _check_status(answer, host)
                    yield answer
                    return
                url = urljoin(url, answer.headers["Location"])
            if urlsplit(url).scheme != "https":
                raise DownloadError(f"{host} redirects to a URL that is not https.")
        raise DownloadError(f"More than {MAX_REDIRECTS} redirects.")


def part_of(target: Path) -> Path:
    """Where a file lies while it is fetched."""
    return target.with_name(f"{target.name}.part")


def forget_part(target: Path) -> None:
    """Delete what was fetched of it."""
    part_of(target).unlink(missing_ok=True)
    _mark_of(part_of(target)).unlink(missing_ok=True)


def publish(target: Path) -> None:
    """Give a whole part file its name, in one step and on disk."""
    part = part_of(target)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    _mark_of(part).unlink(missing_ok=True)


def bytes_of(path: Path) -> int:
    """Its size; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def http_client(**more: Any) -> httpx.Client:
    """No compression that would change a size; redirects are followed by us, not unseen."""
    return httpx.Client(
        timeout=TIMEOUT_S,
        headers={"Accept-Encoding": "identity", "User-Agent": "comfyburst"},
        follow_redirects=False,
        **more,
    )


# --- one answer -------------------------------------------------------------------------------


def _check_status(answer: httpx.Response, host: str) -> None:
    status = answer.status_code
    if status in (200, 206):
        return
    if status == 429 or status >= 500:
        raise _CutError(f"status {status}")
    if status in (401, 403):
        variable = TOKENS.get(host)
        how = f" Agree to its terms there, then set {variable}." if variable else ""
        raise DownloadError(f"{host} does not give it to us (status {status}).{how}")
    if status == 416:
        raise DownloadError(f"{host} has less of it than we have: the file there was changed.")
    raise DownloadError(f"{host} answered with status {status}. Is the URL right?")


def _start_of(answer: httpx.Response, there: int, size_bytes: int) -> int:
    """Where its bytes belong. Raises DownloadError where its size is not the model's."""
    if answer.status_code == 206:
        wanted = f"bytes {there}-{size_bytes - 1}/{size_bytes}"
        said = answer.headers.get("Content-Range", "")
        if said != wanted:
            raise DownloadError(f"The server sent {said or 'an unnamed part'}, not {wanted}.")
        return there
    length = answer.headers.get("Content-Length")
    if length is not None and length != str(size_bytes):
        raise DownloadError(_other_size(length, size_bytes))
    return 0


def _receive(answer: httpx.Response, part: Path, start: int, size_bytes: int, told: Told) -> None:
    with part.open("r+b" if part.exists() else "wb") as file:
        file.truncate(start)
        file.seek(start)
        done = start
        for chunk in answer.iter_raw():  # as they come: a chunk that is filled up is lost in a cut
            done += len(chunk)
            if done > size_bytes:
                file.truncate(0)
                raise DownloadError(_other_size(f"more than {size_bytes}", size_bytes))
            file.write(chunk)
            told(done)


def _fail_if_whole(answer: httpx.Response, part: Path, size_bytes: int) -> None:
    """A body without a length that ended well is all there is."""
    framed = "Content-Length" in answer.headers
    if not framed and "chunked" in answer.headers.get("Transfer-Encoding", ""):
        raise DownloadError(_other_size(str(bytes_of(part)), size_bytes))


def _other_size(said: str, size_bytes: int) -> str:
    return (
        f"The server's file has {said} bytes, and size_bytes says {size_bytes}. Correct it, or the "
        "URL: a page in place of a file is a common cause."
    )


# --- which file a part is of ------------------------------------------------------------------


def _validator(answer: httpx.Response) -> str | None:
    """What If-Range takes: a strong ETag, else a date. Without one a part cannot be trusted."""
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return answer.headers.get("Last-Modified")


def _mark_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write_mark(part: Path, url: str, validator: str | None) -> None:
    _mark_of(part).write_text(json.dumps({"url": url, "validator": validator}))


def _read_mark(part: Path, url: str) -> str | None:
    try:
        values: Any = json.loads(_mark_of(part).read_text())
    except (OSError, ValueError):
        return None
    mark = cast("dict[str, Any]", values) if isinstance(values, dict) else {}
    validator = mark.get("validator")
    return validator if mark.get("url") == url and isinstance(validator, str) else None
