"""API keys: their form, what is stored, and that a revoked one is dead at once everywhere."""

import subprocess
import sys
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.config import Settings
from app.db.postgres import Database
from app.identity.keys import LENGTH, hash_key, is_well_formed, make_key
from app.secret import Keyring, SecretError
from tests.app.conftest import House, opened_house
from tests.running import clean_environment


def test_a_key_is_well_formed_and_never_the_same() -> None:
    keys = {make_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == LENGTH and key.startswith("cb_") for key in keys)
    assert all(is_well_formed(key) for key in keys)


@given(st.integers(0, LENGTH - 1), st.characters(codec="ascii"))
def test_a_typo_is_seen_without_the_database(place: int, character: str) -> None:
    key = make_key()
    typo = key[:place] + character + key[place + 1 :]
    assert is_well_formed(typo) == (typo == key)


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert is_well_formed(text) is False


async def test_only_a_hash_is_stored(house: House, database: Database) -> None:
    rows = await database.all("select hash, last_four from app.api_keys")
    assert [(bytes(r["hash"]), r["last_four"]) for r in rows] == [
        (hash_key(house.alice.key), house.alice.key[-4:])
    ]


def revoke_all(settings: Settings) -> None:
    """As an operator would: by the command line, in another process."""
    environment = clean_environment(
        {
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "COMFYBURST_STATE": str(settings.state),
        }
    )

    def keys(*arguments: str) -> str:
        command = [sys.executable, "-m", "infra.cli.main", "keys", *arguments]
        return subprocess.run(  # noqa: S603 - our own command
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    for line in keys("list").splitlines():
        for word in line.split():
            if len(word) == 36 and word.count("-") == 4:
                keys("revoke", word)


def test_a_revoked_key_is_refused_on_every_front_door(house: House, settings: Settings) -> None:
    with opened_house(settings) as other:
        assert house.alice.http.get("/jobs").status_code == 200
        headers = {"Authorization": f"Bearer {house.alice.key}"}
        assert httpx.get(f"{other.url}/api/v2/jobs", headers=headers).status_code == 200
        revoke_all(settings)
        time.sleep(1.0)
        assert house.alice.http.get("/jobs").status_code == 401
        assert httpx.get(f"{other.url}/api/v2/jobs", headers=headers).status_code == 401


def test_a_secret_that_is_too_short_is_refused(settings: Settings) -> None:
    short = settings.model_copy(update={"secret": SecretStr("short")})
    with pytest.raises(SecretError, match="needs 32"):
        Keyring.load(short)


def test_a_secret_is_made_once_and_private(settings: Settings) -> None:
    first, again = Keyring.load(settings), Keyring.load(settings)
    assert first == again
    assert (settings.state / "secret").stat().st_mode & 0o777 == 0o600
    assert first.key("event token") != first.key("claim token")
