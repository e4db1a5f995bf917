"""Commands that move words: alias, rollback, archive."""

from pathlib import Path

from infra.cli.run.api import Api, Json
from infra.cli.run.named import address_of
from infra.cli.workflows.asking import ask, say, words


def point(state: Path, name: str, word: str, version: str | None) -> int:
    """Let a word lead to a version; to None: nowhere."""

    def work(api: Api) -> None:
        path = f"workflows/{_plain(name)}/aliases/{_plain(word)}"
        if version is None:
            api.call("DELETE", path)
            say(f"{name}@{word} leads nowhere now")
        else:
            _say_words(api.call("PUT", path, json={"version": version}))

    return ask(state, work)


def roll_back(state: Path, name: str, word: str, to: str | None) -> int:
    """Let a word lead to the version before, or to the one named."""

    def work(api: Api) -> None:
        body = {"alias": word, **({} if to is None else {"version": to})}
        _say_words(api.call_once("POST", f"workflows/{_plain(name)}/rollback", json=body))

    return ask(state, work)


def put_away(state: Path, name: str, *, restore: bool) -> int:
    """Archive it, or take it back."""

    def work(api: Api) -> None:
        verb = "restore" if restore else "archive"
        api.call("POST", f"workflows/{_plain(name)}/{verb}")
        say(f"{name} is {'back' if restore else 'archived'}")

    return ask(state, work)


def _plain(text: str) -> str:
    # Names and words look alike; either is a part of an address.
    return address_of(text)[0]


def _say_words(workflow: Json) -> None:
    say(f"{workflow['name']}: {words(workflow['aliases'])}")
