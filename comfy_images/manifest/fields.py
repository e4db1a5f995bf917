"""What a single value of a manifest may look like, and the sentence that is said when it does not.

All of these reach a command line, a Dockerfile or the name of a file: so each is a closed alphabet,
not a list of what is forbidden (facts/security.md §3.8).
"""

import re
from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictBool, StrictInt

MAX_URL_LENGTH: Final = 2_048
MAX_NAME_LENGTH: Final = 200
MAX_MODEL_BYTES: Final = 500 * 10**9
"""Of one model file; the largest that are published today are a tenth of it."""

SAFE_KINDS: Final = (".safetensors", ".sft", ".gguf", ".onnx")
"""Hold numbers and no code."""
PICKLED_KINDS: Final = (".ckpt", ".pt", ".pth", ".bin")
"""Reading one may run what is inside."""

_HOST: Final = r"https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?"
_SEGMENT: Final = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_VERSION: Final = r"[A-Za-z0-9][A-Za-z0-9.!+_-]*"
_PACKAGE: Final = (
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*\])?"
)


def _like(pattern: str, must: str, most: int = MAX_NAME_LENGTH) -> AfterValidator:
    """A check that the whole text matches; `must` goes on after "must be"."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if len(text) > most:
            raise ValueError(f"must have at most {most} characters")
        if not compiled.fullmatch(text):
            raise ValueError(f"must be {must}")
        return text

    return AfterValidator(check)


def _none_of(refused: Callable[[str], bool], why: str) -> AfterValidator:
    def check(text: str) -> str:
        if refused(text):
            raise ValueError(why)
        return text

    return AfterValidator(check)


def _climbs(text: str) -> bool:
    return bool({".", ".."} & set(urlsplit(text).path.split("/")))


_NO_DOTS: Final = _none_of(_climbs, 'must have no "." or ".." in its path')

EnvironmentName = Annotated[
    str,
    _like(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a-z, 0-9 and '-', at most 63 of them"),
]
Commit = Annotated[
    str,
    _like(
        r"[0-9a-f]{40}",
        "a whole commit, 40 digits of 0-9a-f: no branch and no tag, for they move. "
        "`git ls-remote URL TAG` tells it",
    ),
]
Sha256 = Annotated[str, AfterValidator(str.lower), _like(r"[0-9a-f]{64}", "64 digits of 0-9a-f")]
GitUrl = Annotated[
    str,
    _like(
        rf"{_HOST}(/[A-Za-z0-9._~-]+)+/?",
        "an https:// URL of a repository, without user, password or query",
        MAX_URL_LENGTH,
    ),
    _NO_DOTS,
]
FileUrl = Annotated[
    str,
    _like(
        rf"{_HOST}/[A-Za-z0-9._~!$&()*+,;=:@%/?-]+",
        "an https:// URL of a file, without user or password",
        MAX_URL_LENGTH,
    ),
    _NO_DOTS,
]
IndexUrl = Annotated[
    str,
    _like(
        rf"{_HOST}(/[A-Za-z0-9._~-]+)*/?",
        "an https:// URL of a package index, without user, password or query",
        MAX_URL_LENGTH,
    ),
]
PackFolder = Annotated[
    str,
    _like(_SEGMENT, "a folder's name: letters, digits, '.', '_' and '-'"),
]
ModelFolder = Annotated[
    str,
    _like(
        rf"{_SEGMENT}(/{_SEGMENT})*",
        "a folder below models, as checkpoints or loras/style: letters, digits, '.', '_', '-', '/'",
    ),
]
FileName = Annotated[
    str,
    _like(
        r"[A-Za-z0-9_][A-Za-z0-9 ._()+-]*",
        "a file's name: letters, digits, ' ', '.', '_', '(', ')', '+' and '-'",
    ),
    _none_of(
        lambda text: not text.lower().endswith(SAFE_KINDS + PICKLED_KINDS),
        f"must end in one of {', '.join(SAFE_KINDS + PICKLED_KINDS)}; "
        "where the URL does not, say `name`",
    ),
]
Requirement = Annotated[
    str,
    _like(
        rf"{_PACKAGE}=={_VERSION}"
        rf"|{_PACKAGE} @ {_HOST}/[A-Za-z0-9._~@%/+=-]+"
        rf"|{_PACKAGE} @ git\+{_HOST}(/[A-Za-z0-9._~-]+)+@[0-9a-f]{{40}}",
        "pinned: name==version, or name @ https://….whl, or name @ git+https://…@commit",
        MAX_URL_LENGTH,
    ),
]
PythonVersion = Annotated[str, _like(r"3\.1[0-9]", '"3.10", "3.11", "3.12" and so on')]
BaseImage = Annotated[
    str,
    _like(
        r"[a-z0-9][a-z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]{64})?",
        "an image as docker pull takes it",
    ),
]
SystemPackage = Annotated[
    str, _like(r"[a-z0-9][a-z0-9.+-]+", "a Debian package: a-z, 0-9, '.', '+' and '-'")
]
_WORKERS_OWN: Final = (
    "--listen",
    "--port",
    "--tls-",
    "--base-directory",
    "--input-directory",
    "--output-directory",
    "--temp-directory",
    "--user-directory",
    "--extra-model-paths-config",
    "--database-url",
    "--quick-test-for-ci",
    "--enable-cors-header",
)
Argument = Annotated[
    str,
    _like(r"[A-Za-z0-9._=,:-]+", "one word of ComfyUI's command line"),
    _none_of(
        lambda text: text.startswith(_WORKERS_OWN),
        "is the worker's to choose: it owns addresses and folders",
    ),
]
Size = Annotated[StrictInt, Field(ge=1, le=MAX_MODEL_BYTES)]
Text = Annotated[str, Field(max_length=1_000)]
Flag = StrictBool
