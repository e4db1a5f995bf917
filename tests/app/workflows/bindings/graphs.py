"""The workflows that bindings are tried on, and how a proposal is written down to be judged.

`captured`: run by a real ComfyUI 0.8.0, whose object_info this is. `TEMPLATES`: of the wheel
comfyui-workflow-templates-json 0.1.123, as the real frontend 1.35.9 sent them. `comfydeploy`, `comfy_pack`, `app_mode`: written
in the formats that the products publish.
"""

import gzip
import json
from pathlib import Path
from typing import Any, Final

from app.workflows.bindings.models import Bindings
from tests.app.workflows.convert.report import DATA as SENT
from tests.app.workflows.convert.report import object_info

DATA: Final = Path(__file__).parent / "data"

Graph = dict[str, Any]


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


OBJECT_INFO: Final[Graph] = dict(object_info())
CAPTURED: Final[dict[str, Graph]] = load("captured.json")
TEMPLATES: Final[dict[str, Graph]] = {
    name.removesuffix(".json"): graph
    for name, graph in json.loads(
        gzip.decompress((SENT / "frontend-1.35.9.json.gz").read_bytes())
    ).items()
}
COMFYDEPLOY: Final[Graph] = load("comfydeploy.json")
COMFY_PACK: Final[Graph] = load("comfy_pack.json")
APP_MODE: Final[dict[str, Graph]] = load("app_mode.json")
PLAIN: Final[dict[str, Graph]] = {**CAPTURED, **TEMPLATES, "app_mode": APP_MODE["graph"]}
"""Those without annotations."""
ALL: Final[dict[str, Graph]] = {**PLAIN, "comfydeploy": COMFYDEPLOY, "comfy_pack": COMFY_PACK}


def written(bindings: Bindings) -> str:
    """Names and types, as `data/proposed.txt` has them."""
    rows = {
        "main": [f"{one.name}:{one.type}" for one in bindings.inputs if one.group == "main"],
        "advanced": [f"{one.name}:{one.type}" for one in bindings.inputs if one.group != "main"],
        "outputs": [f"{one.name}:{one.kind}" for one in bindings.outputs],
    }
    return "\n".join(f"  {row}: {' '.join(cells)}" for row, cells in rows.items() if cells)
