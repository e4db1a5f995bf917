"""A server of files, and what downloads from it."""

from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from infra.environments.download import Download, http_client
from tests.infra.environments.file_server import Served, file_server


@pytest.fixture
def served(tmp_path: Path) -> Generator[Served]:
    with file_server(tmp_path) as served:
        yield served


@pytest.fixture
def http(served: Served) -> Generator[httpx.Client]:
    with http_client(verify=served.trusting()) as client:
        yield client


@pytest.fixture
def download(http: httpx.Client) -> Download:
    return Download(http, tokens={}, max_wait_s=0.0)
