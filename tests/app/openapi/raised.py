"""Reads from the source which refusals the application can answer."""

import ast
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

APP = Path(__file__).resolve().parents[3] / "app"
_TABLES = {"_FRAMEWORK_CODES", "_SAYS"}
"""Dictionaries from a status to a code and a message."""


def raised_codes() -> dict[str, set[str]]:
    """`status code` of every refusal, with the files that raise it."""
    found: dict[str, set[str]] = {}
    for path in sorted(APP.rglob("*.py")):
        for key in _codes_in(ast.parse(path.read_text())):
            found.setdefault(key, set()).add(str(path.relative_to(APP.parent)))
    return found


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name("AppError") | ast.Attribute(attr="__init__"),
                args=[ast.Constant(int(status)), ast.Constant(str(code)), *_],
            ):
                yield f"{status} {code}"
            case ast.Call(func=ast.Name("NotFoundError"), args=[ast.Constant(str(what))]):
                yield f"404 {what}_not_found"
            case (
                ast.Assign(targets=[ast.Name(name)], value=ast.Dict() as table)
                | ast.AnnAssign(target=ast.Name(name), value=ast.Dict() as table)
            ) if name in _TABLES:
                yield from _codes_of(table)
            case _:
                pass


def _codes_of(table: ast.Dict) -> Iterator[str]:
    for key, value in zip(table.keys, table.values, strict=True):
        match key, value:
            case ast.Constant(int(status)), ast.Tuple([ast.Constant(str(code)), *_]):
                yield f"{status} {code}"
            case ast.Attribute(attr=name), ast.Tuple([ast.Constant(str(code)), *_]):
                yield f"{HTTPStatus[name].value} {code}"
            case _:
                raise AssertionError(f"unreadable row: {ast.unparse(value)}")


def hidden_calls() -> list[str]:
    """Refusals whose status or code is no constant: no table can be held to them."""
    return [
        f"{path.relative_to(APP.parent)}:{node.lineno}"
        for path in sorted(APP.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "AppError"
        and not all(isinstance(argument, ast.Constant) for argument in node.args[:2])
    ]
