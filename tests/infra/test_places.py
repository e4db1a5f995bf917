"""Folders: private whatever the umask, refused where somebody else may write."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from infra.local.places import (
    MAX_SOCKET_FOLDER,
    PlaceError,
    enterable_folder,
    private_folder,
    socket_folder,
)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[int]:
    assert tmp_path.is_dir(), "made before the umask changes"
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_private_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    assert private_folder(tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("umask")
def test_an_enterable_folder_cannot_be_listed(tmp_path: Path) -> None:
    assert enterable_folder(tmp_path / "base").stat().st_mode & 0o777 == 0o711


def test_an_open_folder_is_closed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    assert private_folder(tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("make", [private_folder, enterable_folder])
def test_a_link_is_refused(tmp_path: Path, make: object) -> None:
    assert callable(make)
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "state").symlink_to("elsewhere")
    with pytest.raises(PlaceError, match="it is a link"):
        make(tmp_path / "state")
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 65534, 65534)
    with pytest.raises(PlaceError, match="belongs to another user"):
        private_folder(tmp_path / "state")


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(PlaceError, match="cannot be used: "):
        private_folder(tmp_path / "state")


def test_a_socket_always_fits_and_each_folder_has_its_own(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    assert socket_folder(Path("/short")) == Path("/short")
    assert len(str(socket_folder(long))) <= MAX_SOCKET_FOLDER
    assert socket_folder(long) != socket_folder(long / "y")
