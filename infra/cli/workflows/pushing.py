"""`comfyburst workflows push`: any file that carries a workflow to a version with a name."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.cli.run.api import Api
from infra.cli.run.inputs import InputError
from infra.cli.workflows.asking import ask, print_json, say
from infra.cli.workflows.looking import print_bindings

UPLOAD_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What the command line said."""

    file: Path
    name: str
    environment: str
    notes: str
    bindings: Path | None


def push(options: PushOptions, state: Path, *, as_json: bool) -> int:
    """Push a file, and show what callers can give."""

    def work(api: Api) -> None:
        fields = {
            "name": options.name,
            "environment": options.environment,
            "notes": options.notes,
        }
        if options.bindings is not None:
            fields["bindings"] = json.dumps(read_json(options.bindings))
        content = options.file.read_bytes()
        pushed = api.call(
            "POST",
            "workflows",
            data=fields,
            files={"file": (options.file.name, content)},
            timeout=UPLOAD_TIMEOUT_S,
        )
        if as_json:
            print_json(pushed)
            return
        say(f"{pushed['reference']}")
        for remark in pushed["remarks"]:
            say(f"  {remark}")
        print_bindings(pushed["bindings"])

    return ask(state, work)


def read_json(path: Path) -> Any:
    """A file as JSON; raises InputError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
