"""A large file by HTTPS: cut and resumed, changed meanwhile, too large, refused, redirected."""

import os
from pathlib import Path

import httpx
import pytest

from infra.environments.download import (
    ATTEMPTS,
    Download,
    DownloadError,
    bytes_of,
    http_client,
    part_of,
    publish,
)
from tests.infra.environments.file_server import Served

SIZE = 3_000_000


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.fixture(autouse=True)
def content(served: Served) -> bytes:
    served.content = os.urandom(SIZE)
    return served.content


def quiet(_: int) -> None:
    """For progress that no one reads."""


def ranges(served: Served) -> list[str | None]:
    return [headers.get("range") for headers in served.requests]


def test_a_file_is_fetched_and_tells_how_far_it_is(
    served: Served, download: Download, target: Path
) -> None:
    told: list[int] = []

    part = download.fetch(f"{served.url}/a", target, SIZE, told.append)

    assert part.read_bytes() == served.content
    assert told == sorted(told)
    assert told[-1] == SIZE
    assert not target.exists()


def test_it_gets_its_name_only_when_it_is_published(
    served: Served, download: Download, target: Path, tmp_path: Path
) -> None:
    download.fetch(f"{served.url}/a", target, SIZE, quiet)

    publish(target)

    assert target.read_bytes() == served.content
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


def test_a_download_that_is_cut_goes_on_where_it_was(
    served: Served, download: Download, target: Path
) -> None:
    served.cut_after = [1_000_000, 500_000]

    part = download.fetch(f"{served.url}/a", target, SIZE, quiet)

    assert part.read_bytes() == served.content
    assert ranges(served) == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_later_call_goes_on_where_an_earlier_one_was(
    served: Served, download: Download, target: Path
) -> None:
    served.cut_after = [1_000_000, *[0] * (2 * ATTEMPTS)]
    with pytest.raises(DownloadError, match="1,000,000 of 3,000,000 bytes are kept"):
        download.fetch(f"{served.url}/a", target, SIZE, quiet)
    served.cut_after.clear()
    served.requests.clear()

    part = download.fetch(f"{served.url}/a", target, SIZE, quiet)

    assert part.read_bytes() == served.content
    assert ranges(served) == ["bytes=1000000-"]


def test_a_server_that_cuts_again_and_again_is_given_up(
    served: Served, download: Download, target: Path
) -> None:
    served.cut_after = [0] * 100

    with pytest.raises(DownloadError, match=f"cut the download {ATTEMPTS} times"):
        download.fetch(f"{served.url}/a", target, SIZE, quiet)

    assert len(served.requests) == ATTEMPTS


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(
    served: Served, download: Download, target: Path
) -> None:
    served.cut_after = [1_000_000]
    served.redirects = []
    before = served.content

    def told(there: int) -> None:
        if there == 1_000_000:
            served.content, served.etag = os.urandom(SIZE), '"2"'

    part = download.fetch(f"{served.url}/a", target, SIZE, told)

    assert part.read_bytes() == served.content != before


def test_without_a_mark_of_the_server_nothing_is_put_together(
    served: Served, download: Download, target: Path
) -> None:
    served.etag = None
    served.cut_after = [1_000_000]

    part = download.fetch(f"{served.url}/a", target, SIZE, quiet)

    assert part.read_bytes() == served.content
    assert ranges(served) == [None, None]


def test_a_part_of_another_url_is_not_gone_on_with(
    served: Served, download: Download, target: Path
) -> None:
    served.cut_after = [1_000_000, *[0] * (2 * ATTEMPTS)]
    with pytest.raises(DownloadError):
        download.fetch(f"{served.url}/a", target, SIZE, quiet)
    served.cut_after.clear()
    served.requests.clear()

    download.fetch(f"{served.url}/b", target, SIZE, quiet)

    assert ranges(served) == [None]


def test_a_whole_part_that_nothing_is_known_of_is_not_taken_for_the_file(
    served: Served, download: Download, target: Path
) -> None:
    part_of(target).write_bytes(os.urandom(SIZE))

    part = download.fetch(f"{served.url}/a", target, SIZE, quiet)

    assert part.read_bytes() == served.content


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1])
@pytest.mark.parametrize("has_length", [True, False])
def test_a_file_of_another_size_is_refused(
    served: Served, download: Download, target: Path, size: int, *, has_length: bool
) -> None:
    served.has_length = has_length

    with pytest.raises(DownloadError, match=f"size_bytes says {size}"):
        download.fetch(f"{served.url}/a", target, size, quiet)

    assert bytes_of(part_of(target)) <= size


@pytest.mark.parametrize(
    ("status", "says"), [(401, "does not give it"), (403, "does not give"), (404, "Is the URL")]
)
def test_a_refusal_is_told_and_not_repeated(
    served: Served, download: Download, target: Path, status: int, says: str
) -> None:
    served.status = status

    with pytest.raises(DownloadError, match=says):
        download.fetch(f"{served.url}/a", target, SIZE, quiet)

    assert len(served.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_repeated(
    served: Served, download: Download, target: Path, status: int
) -> None:
    served.status = status

    with pytest.raises(DownloadError, match=f"status {status}"):
        download.fetch(f"{served.url}/a", target, SIZE, quiet)

    assert len(served.requests) == ATTEMPTS


def test_redirects_are_followed_on_https_alone(
    served: Served, download: Download, target: Path
) -> None:
    served.redirects = ["/elsewhere", f"{served.url}/there"]
    assert download.fetch(f"{served.url}/a", target, SIZE, quiet).read_bytes() == served.content

    served.redirects = [served.url.replace("https", "http") + "/plain"]
    with pytest.raises(DownloadError, match="not https"):
        download.fetch(f"{served.url}/a", target.with_name("b"), SIZE, quiet)

    served.redirects = ["/again"] * 10
    with pytest.raises(DownloadError, match="redirects"):
        download.fetch(f"{served.url}/a", target.with_name("c"), SIZE, quiet)


def test_a_token_goes_to_its_host_and_to_no_other(
    served: Served, http: httpx.Client, target: Path
) -> None:
    served.redirects = [f"{served.url.replace('127.0.0.1', 'localhost')}/b"]
    download = Download(http, tokens={"127.0.0.1": "secret"}, max_wait_s=0.0)

    download.fetch(f"{served.url}/a", target, SIZE, quiet)

    assert [headers.get("authorization") for headers in served.requests] == ["Bearer secret", None]


def test_a_server_that_nobody_vouches_for_is_refused(served: Served, target: Path) -> None:
    with http_client() as http, pytest.raises(DownloadError, match="CERTIFICATE"):
        Download(http, {}, max_wait_s=0.0).fetch(f"{served.url}/a", target, SIZE, quiet)
