"""`.env.example` says what the code reads, no more and no less."""

import re

from infra.env_example import ROOT, entries, render


def test_the_example_is_what_the_settings_say() -> None:
    assert (ROOT / ".env.example").read_text() == render(), "run: python -m infra.env_example"


def test_every_variable_is_described() -> None:
    for group in entries().values():
        for entry in group:
            assert len(entry.description) > 20, entry.name


def test_every_variable_is_named_as_environments_are() -> None:
    names = [entry.name for group in entries().values() for entry in group]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", name) for name in names)
