"""docs/inputs.md: its codes and numbers are ours, its binding is one."""

import ast
import re
from pathlib import Path

import pytest

from app.workflows.bindings.bind import MAX_DRAWN
from app.workflows.bindings.models import InputBinding
from app.workflows.bindings.propose import MAX_PROPOSED
from app.workflows.bindings.tracing import MAX_PLAIN
from app.workflows.bindings.values import MAX_TEXT_LENGTH

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")
BINDINGS = ROOT / "app" / "workflows" / "bindings"
FAULTS = {"RefusedValueError": 0, "_fault": 1}
"""What makes a fault, and which argument is its code."""


def codes_of(module: str) -> set[str]:
    """Codes that stand in a module as constants."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((BINDINGS / module).read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(name), args=arguments) if name in FAULTS:
                if isinstance(code := arguments[FAULTS[name]], ast.Constant):
                    found.add(str(code.value))
            case ast.keyword(arg="code", value=ast.Constant(str(code))):
                found.add(code)
            case ast.Dict(keys=keys):
                words = {k.value for k in keys if isinstance(k, ast.Constant)}
                found |= {str(word) for word in words if str(word).endswith("_not_used")}
            case _:
                pass
    return found


@pytest.mark.parametrize("module", ["values.py", "bind.py", "check.py"])
def test_every_code_is_explained(module: str) -> None:
    codes = codes_of(module)
    assert codes
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_the_binding_is_one() -> None:
    [text] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert InputBinding.model_validate_json(text).name == "width"


def test_the_numbers_are_ours() -> None:
    assert f"at most {MAX_TEXT_LENGTH:,} characters" in PAGE
    assert f"At most {MAX_PROPOSED} inputs" in PAGE
    assert f"{MAX_PLAIN} at most" in PAGE
    assert MAX_DRAWN == 2**53 - 1
