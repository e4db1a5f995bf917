"""docs/storage.md: its variables are ours, its JSON is JSON."""

import json
import re
from pathlib import Path

from app.config import Settings
from tests.storage.servers import REASONS

TEXT = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()


def test_every_variable_in_it_is_read() -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    suite = (Path(__file__).parent / "servers.py").read_text()
    known |= set(re.findall(r"S3_TEST_[A-Z]+", suite)) | {"S3_TEST_ENDPOINT"}
    named = set(re.findall(r"\b(?:S3|AWS|COMFYBURST)_[A-Z][A-Z0-9_]+", TEXT))
    assert named <= known


def test_every_setting_of_s3_is_in_it_or_explains_itself() -> None:
    ours = {str(f.validation_alias) for name, f in Settings.model_fields.items() if "s3_" in name}
    assert {name for name in ours if name not in TEXT} <= {"S3_ADDRESSING"}


def test_its_policies_can_be_pasted() -> None:
    blocks = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        json.loads(block)


def test_what_a_server_may_lack_is_listed() -> None:
    for name in REASONS:
        assert f"`{name}`" in TEXT
