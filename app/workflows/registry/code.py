"""Whole programs that run a version of a workflow: curl, Python, JavaScript, comfy-sdk. Pure.

They read COMFY_BASE_URL and COMFY_API_KEY, wait for the end, and save what was made. Texts of a workflow
are put in as JSON alone, so that whatever stands in them is a value and never code.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from app.workflows.bindings.models import Bindings, InputBinding, InputType
from app.workflows.registry.models import JsonObject

_PLACEHOLDERS: Final[Mapping[InputType, Any]] = {
    "text": "…",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "seed": "random",
    "file": "photo.png",
}
"""Where an input must be given and has no default; a file is the `file_path` of an upload."""


def code_samples(reference: str, bindings: Bindings) -> list[JsonObject]:
    """`lang`, `label` and `source` of each program."""
    inputs = example_inputs(bindings)
    sources = (
        ("Shell", "curl", _curl(reference, inputs)),
        ("Python", "httpx", _python(reference, inputs)),
        ("Python", "comfy-sdk", _sdk(reference, inputs)),
        ("JavaScript", "fetch", _javascript(reference, inputs)),
    )
    return [{"lang": lang, "label": label, "source": source} for lang, label, source in sources]


def example_inputs(bindings: Bindings) -> JsonObject:
    """Values for what a caller gives first: those of the main group, and whatever is needed."""
    return {
        each.name: _example(each)
        for each in bindings.inputs
        if each.group == "main" or each.required
    }


def _example(binding: InputBinding) -> Any:
    if binding.default is not None:
        return binding.default
    if binding.type == "choice":
        return (binding.choices or ("",))[0]
    if binding.minimum is not None and binding.type in ("integer", "number"):
        return binding.minimum
    return _PLACEHOLDERS[binding.type]


def _curl(reference: str, inputs: JsonObject) -> str:
    body = json.dumps({"workflow": reference, "inputs": inputs}, indent=2)
    quoted = body.replace("'", "'\\''")
    return f"""\
curl -s $COMFY_BASE_URL/api/v2/jobs \\
  -H "Authorization: Bearer $COMFY_API_KEY" \\
  -H "Content-Type: application/json" \\
  -H "Prefer: wait=25" \\
  -d '{quoted}'
"""


def _python(reference: str, inputs: JsonObject) -> str:
    return f"""\
import os
from pathlib import Path

import httpx

base_url, key = os.environ["COMFY_BASE_URL"], os.environ["COMFY_API_KEY"]
headers = {{"Authorization": f"Bearer {{key}}"}}
with httpx.Client(base_url=base_url, headers=headers, timeout=30, follow_redirects=True) as http:
    body = {_as_python({"workflow": reference, "inputs": inputs}, 4)}
    job = http.post("/api/v2/jobs", json=body).raise_for_status().json()
    while job["status"] not in ("succeeded", "failed", "canceled", "expired"):
        job = http.get(f"/api/v2/jobs/{{job['id']}}?wait=20").raise_for_status().json()
    if job["status"] != "succeeded":
        raise SystemExit(job["error"])
    for output in job["outputs"]:
        content = http.get(f"/api/v2/assets/{{output['id']}}/content").raise_for_status().content
        Path(output["name"]).write_bytes(content)
        print(output["name"])
"""


def _sdk(reference: str, inputs: JsonObject) -> str:
    return f"""\
from comfy_sdk import Comfy

with Comfy() as client:
    workflow = client.workflows.from_json(
        {_as_python({"name": reference, "inputs": inputs}, 8)}
    )
    for output in client.submit(workflow).result().outputs:
        output.to_file(output.name)
        print(output.name)
"""


def _javascript(reference: str, inputs: JsonObject) -> str:
    body = json.dumps({"workflow": reference, "inputs": inputs}, indent=2)
    return f"""\
import {{ writeFile }} from "node:fs/promises";

const base = process.env.COMFY_BASE_URL;
const headers = {{ Authorization: `Bearer ${{process.env.COMFY_API_KEY}}` }};

async function call(path, options = {{}}) {{
  const reply = await fetch(base + path, {{ ...options, headers: {{ ...headers, ...options.headers }} }});
  if (!reply.ok) throw new Error(await reply.text());
  return reply;
}}

const body = {body};
let job = await (
  await call("/api/v2/jobs", {{
    method: "POST",
    headers: {{ "Content-Type": "application/json" }},
    body: JSON.stringify(body),
  }})
).json();
while (!["succeeded", "failed", "canceled", "expired"].includes(job.status)) {{
  job = await (await call(`/api/v2/jobs/${{job.id}}?wait=20`)).json();
}}
if (job.status !== "succeeded") throw new Error(JSON.stringify(job.error));
for (const output of job.outputs) {{
  const content = await call(`/api/v2/assets/${{output.id}}/content`);
  await writeFile(output.name, Buffer.from(await content.arrayBuffer()));
  console.log(output.name);
}}
"""


def _as_python(value: Any, by: int) -> str:
    """A value as Python writes it, its lines indented by so many spaces."""
    match value:
        case dict() if value:
            pad = " " * by
            items = cast(JsonObject, value).items()
            lines = [f"{pad}    {_as_python(k, 0)}: {_as_python(v, by + 4)}," for k, v in items]
            return "\n".join(["{", *lines, f"{pad}}}"])
        case str() if value.isascii():
            return json.dumps(value)
        case _:
            # JSON writes what is beyond 16 bits as two halves, which Python does not join.
            return repr(value)
