"""A bucket where one is named, else the folder; and what the log says of it."""

import logging
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.config import Settings
from app.secret import Keyring
from app.storage_choice import bucket_of, open_storage, say_where
from storage.local import LocalStorage
from storage.s3 import S3Storage

KEYRING = Keyring(b"x" * 32)


def settings(state: Path, **more: object) -> Settings:
    """Of a state folder, whatever the developer's environment says."""
    none = {"s3_bucket": "", "aws_session_token": None}
    return Settings().model_copy(update={"state": state, **none, **more})


async def test_without_a_bucket_it_is_the_folder(tmp_path: Path) -> None:
    async with open_storage(settings(tmp_path), KEYRING) as storage:
        assert storage == LocalStorage(tmp_path / "storage", KEYRING.key("signed url"))


async def test_with_a_bucket_it_is_the_bucket(tmp_path: Path) -> None:
    named = settings(
        tmp_path,
        s3_bucket="b",
        s3_endpoint_url="http://127.0.0.1:1",
        s3_public_endpoint_url="https://files.example.com",
        aws_access_key_id="key",
        aws_secret_access_key=SecretStr("unspoken"),
        aws_session_token=SecretStr("unsaid"),
    )
    place = bucket_of(named)
    assert place is not None
    assert (place.secret_access_key, place.session_token) == ("unspoken", "unsaid")
    assert "uns" not in f"{named!r} {place!r}"
    async with open_storage(named, KEYRING) as storage:
        assert isinstance(storage, S3Storage)
        assert str(storage) == "bucket b at http://127.0.0.1:1"


def test_an_endpoint_is_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT_URL", "minio:9000")
    with pytest.raises(ValidationError, match="S3_ENDPOINT_URL"):
        Settings()


async def test_the_log_says_where_the_files_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await say_where(LocalStorage(tmp_path / "storage", b"k"))
    assert caplog.messages == [f"files are kept in the folder {tmp_path}/storage"]


async def test_the_log_says_why_files_cannot_be_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "storage").write_text("in the way")
    await say_where(LocalStorage(tmp_path / "storage", b"k"))
    [message] = caplog.messages
    assert message.startswith("files cannot be stored now: ")
