"""Behind a proxy: under a path, and behind TLS; and with files larger than anybody's memory."""

import asyncio
import ssl
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from blake3 import blake3
from comfy_low.models import Asset

from app.config import Settings
from tests.app.conftest import make_caller, opened_house
from tests.bench.served import served
from tests.conformance.clients.authority import make_identity
from tests.conformance.clients.front import fronting
from tests.conformance.python.flavours import Flavour, opened, opened_low
from tests.conformance.python.graphs import poster

PREFIX = "/deployment/x"
MEBIBYTE = 1 << 20


def test_links_keep_a_prefix_exactly_once(flavour: Flavour, settings: Settings) -> None:
    """v2.23: mounted under a path that the proxy strips; every call of the SDK lands."""
    with fronting(prefix=PREFIX) as front:
        public = settings.model_copy(update={"public_url": front.url})
        with opened_house(public) as house:
            front.target = house.url
            with opened(flavour, front.url, house.alice.key) as comfy:
                comfy.assets.from_bytes(b"x", filename="x.png").commit()
                job = comfy.submit(poster())
                house.executor.claim()
                house.executor.put_output(b"png")
                house.executor.succeed()
                assert job.wait().status == "succeeded"
                assert [type(e).__name__ for e in job.events()] == ["OutputReady", "StatusChange"]
                assert job.cancel().status == "succeeded"
                assert job.get_workflow().format == "api"
                assert job.outputs[0].to_bytes() == b"png"
                body = httpx.get(
                    f"{front.url}/api/v2/jobs/{job.id}",
                    headers={"Authorization": f"Bearer {house.alice.key}"},
                ).json()
    assert all(e.status < 400 or e.method == "HEAD" for e in front.exchanges)
    assert all(e.path.count(PREFIX) == 1 for e in front.exchanges)
    assert all(link.startswith(f"{PREFIX}/api/v2/jobs/") for link in body["urls"].values())
    assert body["outputs"][0]["url"].startswith(f"{front.url}/files/")


def test_behind_tls_every_absolute_link_is_https(
    flavour: Flavour, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v2.23: we speak http, the proxy before us https; PUBLIC_URL says so."""
    identity = make_identity(tmp_path, "comfy.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.authority))
    with fronting(identity=identity) as front:
        public = settings.model_copy(update={"public_url": front.url})
        with opened_house(public) as house:
            front.target = house.url
            with opened(flavour, front.url, house.alice.key) as comfy:
                job = comfy.submit(poster())
                house.executor.claim()
                house.executor.put_output(b"png")
                house.executor.succeed()
                [output] = job.result().outputs
                assert output.to_bytes() == b"png"
                url: str = house.alice.job(job.id)["outputs"][0]["url"]
                trust = ssl.create_default_context(cafile=str(identity.authority))
                assert url.startswith("https://127.0.0.1:")
                assert httpx.get(url, verify=trust).content == b"png"
                assert comfy.assets.from_bytes(b"y", filename="y.png").commit()


class Sparse:
    """Bytes that nobody has to hold; remembers when the last were taken."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.ended_at = 0.0

    def read(self, size: int) -> bytes:
        chunk = bytes(min(size, self.left))
        self.left -= len(chunk)
        self.ended_at = time.monotonic()
        return chunk


class Peak:
    """The most memory a process had while the block ran, above what it had before."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.before = process.memory_info().rss
        self.most = self.before
        self._over = threading.Event()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.most = max(self.most, self._process.memory_info().rss)

    @contextmanager
    def watched(self) -> Generator["Peak"]:
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        yield self
        self._over.set()
        thread.join()

    @property
    def growth_mib(self) -> float:
        return (self.most - self.before) / MEBIBYTE


def upload(flavour: Flavour, url: str, key: str, source: Any, size: int) -> tuple[Asset, float]:
    """The asset, and seconds from the last byte to the answer."""
    with opened_low(flavour, url, key) as low:
        asset = low.post_assets(source, "application/octet-stream", "big.bin", file_size=size)
        return asset, time.monotonic() - source.ended_at


@pytest.mark.timeout(240)
@pytest.mark.parametrize("megabytes", [100, pytest.param(1_000, marks=pytest.mark.bench)])
def test_a_large_file_passes_through_without_being_held(
    settings: Settings, megabytes: int, flavour: Flavour
) -> None:
    """v2.5: in and out; memory stays flat, the answer follows the last byte."""
    size = megabytes * 1_000_000
    with served(settings) as url:
        process = next(
            child for child in psutil.Process().children() if child.cmdline()[-2:] == ["-m", "app"]
        )
        alice = asyncio.run(make_caller(settings, url, "alice"))
        assert alice.upload(bytes(3 * MEBIBYTE)).status_code == 201  # warm
        source: Any = Sparse(size)
        with Peak(process).watched() as uploading:
            asset, took = upload(flavour, url, alice.key, source, size)
        hasher = blake3()
        with Peak(process).watched() as downloading, httpx.stream("GET", str(asset.url)) as reply:
            for chunk in reply.iter_bytes():
                hasher.update(chunk)
        alice.http.close()
    print(  # noqa: T201
        f"\n{megabytes} MB {flavour}: answer {took:.2f} s after the last byte; the front door grew by "
        f"{uploading.growth_mib:.1f} MiB in, {downloading.growth_mib:.1f} MiB out"
    )
    assert (asset.size_bytes, asset.hash) == (size, f"blake3:{hasher.hexdigest()}")
    assert took < 30
    assert uploading.growth_mib < 30
    assert downloading.growth_mib < 30
