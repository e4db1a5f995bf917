"""`comfyburst environments`: what each command prints, writes, and refuses."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli.environments import environments
from infra.cli.main import app
from infra.environments.files import MAX_IMPORT_BYTES
from tests.comfy_images.environment import STUDIO
from tests.infra.environments.file_server import Served

COMMANDS = ("check", "lock", "dockerfile", "import", "install", "models")
SNAPSHOT = {
    "comfyui": "0" * 40,
    "git_custom_nodes": {"https://git.example/a/old": {"hash": "1" * 40, "disabled": True}},
}


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    file = tmp_path / "studio.toml"
    file.write_text(STUDIO)
    return file


def said(*words: str | Path) -> Result:
    return CliRunner().invoke(environments, [str(word) for word in words])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_what_to_type(command: str) -> None:
    result = CliRunner().invoke(environments, [command, "--help"], env={"COLUMNS": "100"})

    assert result.exit_code == 0
    assert f"comfyburst environments {command}" in result.output
    assert "[bold]" not in result.output


def test_the_one_command_has_it() -> None:
    result = CliRunner().invoke(app, ["environments", "--help"], env={"COLUMNS": "100"})

    assert result.exit_code == 0
    assert "Usage: comfyburst environments" in result.output
    assert all(command in result.output for command in COMMANDS)


def test_a_check_says_what_an_environment_has(studio: Path) -> None:
    result = said("check", studio)

    assert result.exit_code == 0
    assert "2 packs of custom nodes" in result.output
    assert "2 models, 7.1 GB; 1 with a stated hash" in result.output


def test_a_check_names_every_fault(studio: Path) -> None:
    studio.write_text(STUDIO.replace("b" * 40, "main").replace("https://files", "http://files"))

    result = said("check", studio)

    assert result.exit_code == 1
    assert "has 3 faults" in result.output
    for place in ("custom_nodes[0].commit", "models[0].url", "models[1].url"):
        assert place in result.output


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = said("check", tmp_path / "none.toml")

    assert result.exit_code == 1
    assert "none.toml cannot be read: No such file" in result.output


def test_a_lock_is_written_beside_the_toml_and_stays_the_same(studio: Path) -> None:
    first = said("lock", studio)
    text = (studio.parent / "studio.lock.json").read_text()
    second = said("lock", studio)

    digest = json.loads(text)["digest"]
    assert digest in first.output
    assert second.output == first.output
    assert (studio.parent / "studio.lock.json").read_text() == text


def test_a_lock_that_was_edited_is_refused(studio: Path) -> None:
    said("lock", studio)
    beside = studio.parent / "studio.lock.json"
    beside.write_text(beside.read_text().replace("b" * 40, "0" * 40))

    result = said("lock", studio)

    assert result.exit_code == 1
    assert "not as it was written" in result.output


def test_a_dockerfile_is_printed_or_written(studio: Path, tmp_path: Path) -> None:
    printed = said("dockerfile", studio)
    written = said("dockerfile", studio, "-o", tmp_path / "Dockerfile")

    assert printed.exit_code == written.exit_code == 0
    assert printed.stdout == (tmp_path / "Dockerfile").read_text()


def test_an_import_is_written_and_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").write_text(json.dumps(SNAPSHOT))
    words = ("import", tmp_path / "snapshot.json", "-o", tmp_path / "new.toml", "--name", "new")

    first, second = said(*words), said(*words)

    assert first.exit_code == 0
    assert "https://git.example/a/old was disabled: left out." in first.output
    assert second.exit_code == 1
    assert "File exists" in second.output
    assert said("check", tmp_path / "new.toml").exit_code == 0


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in members.items():
            pack.writestr(name, content)
    return buffer.getvalue()


def test_a_pack_of_comfy_pack_is_read_and_never_unpacked(tmp_path: Path) -> None:
    members = {
        "snapshot.json": b'{"python": "3.12", "comfyui": "%s", "custom_nodes": []}' % (b"0" * 40),
        "requirements.txt": b"numpy==2.3.5\n",
        "../../outside": b"x",
    }
    (tmp_path / "x.cpack.zip").write_bytes(packed(members))

    result = said("import", tmp_path / "x.cpack.zip")

    assert result.exit_code == 0
    assert "numpy==2.3.5" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["x.cpack.zip"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.zip", packed({"other": b""}), "no pack of comfy-pack"),
        ("a.zip", packed({"snapshot.json": b" " * (MAX_IMPORT_BYTES + 1)}), "has more than"),
        ("a.json", b" " * (MAX_IMPORT_BYTES + 1), "has more than"),
        ("a.json", b"[" * 100_000, "is not the JSON"),
        ("a.json", b"\xff\xfe", "is not the JSON"),
        ("a.json", b"{}", "neither a ComfyUI-Manager snapshot"),
        ("a.yaml", b"a: [1, 2", "is not the JSON or YAML"),
        ("a.yaml", b"a: &x [1]\nb: [*x, *x]\n", "aliases are not read"),
        ("a.yaml", b"!!python/object/apply:os.system [id]", "neither a ComfyUI-Manager snapshot"),
    ],
)
def test_what_cannot_be_imported_is_refused(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)

    result = said("import", tmp_path / name)

    assert result.exit_code == 1
    assert says in " ".join(result.output.split())


def test_models_that_cannot_be_fetched_are_named_and_fail(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        f"""
name = "a"
[comfyui]
commit = "{"0" * 40}"
[[models]]
url = "https://127.0.0.1:1/a.safetensors"
folder = "checkpoints"
size_bytes = 4
"""
    )
    (tmp_path / "models" / "checkpoints").mkdir(parents=True)
    (tmp_path / "models" / "checkpoints" / "a.safetensors").write_bytes(b"longer")

    result = said("models", file, tmp_path / "models")

    assert result.exit_code == 1
    assert "FAILED: checkpoints/a.safetensors: a file of 6 bytes lies there" in result.output


def test_models_are_fetched_and_what_nobody_states_is_recorded_in_the_lock(
    tmp_path: Path, served: Served
) -> None:
    served.content = (2).to_bytes(8, "little") + b"{}" + b"weights" * 1_000
    file = tmp_path / "a.toml"
    file.write_text(
        f"""
name = "a"
[comfyui]
commit = "{"0" * 40}"
[[models]]
url = "{served.url}/a.safetensors"
folder = "checkpoints"
size_bytes = {len(served.content)}
"""
    )
    trusting = {"SSL_CERT_FILE": str(served.certificate)}
    words = ["models", str(file), str(tmp_path / "models")]

    first = CliRunner().invoke(environments, words, env=trusting)
    second = CliRunner().invoke(environments, words, env=trusting)

    assert first.exit_code == second.exit_code == 0
    assert "no source states its hash: recorded in the lock" in first.output
    assert second.output == "checkpoints/a.safetensors is there\n"
    assert (tmp_path / "models" / "checkpoints" / "a.safetensors").read_bytes() == served.content
    recorded = json.loads((tmp_path / "a.lock.json").read_text())["recorded"]
    sha256 = hashlib.sha256(served.content).hexdigest()
    assert recorded["checkpoints/a.safetensors"]["sha256"] == sha256
