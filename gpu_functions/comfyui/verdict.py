"""How a run ended: pure functions from what ComfyUI said to the contract's words.

The rules are facts/comfyui-protocol.md §1 and §3: history decides, events only tell; an
`execution_error` event may be followed by success, and an interrupted run has status "error".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gpu_functions.comfyui.lenient import as_dict, as_list
from gpu_functions.comfyui.redact import Redactor
from gpu_functions.contract import Canceled, Failed, Failure, FailureCode, Json, Succeeded

_GPU_OOM = ("cuda out of memory", "hip out of memory", "mps backend out of memory")
_HOST_OOM = ("can't allocate memory", "cannot allocate memory", "unable to allocate")
_GPU_FAULT = ("cuda error", "cudnn_status_", "cublas_status_", "hip error", "device-side assert")
_MODEL_SUFFIXES = (
    ".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".onnx", ".pkl",
)  # fmt: skip
_MODEL_INPUTS = ("ckpt_", "unet_", "lora_", "vae_", "clip_", "control_net", "style_model", "model_")
_ADVICE = {
    FailureCode.GPU_OOM: "The GPU's memory was too small. Make pictures, batches or frame counts "
    "smaller, use a smaller or quantised model, or a GPU with more memory.",
    FailureCode.OUT_OF_MEMORY: "The machine's memory was too small. Make batches or frame counts "
    "smaller, or give the worker more memory.",
}
"""What helps comes first: torch's own words are long, and a message may be cut."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ending of a run, and whether its ComfyUI process can be used again."""

    ending: Succeeded | Failed | Canceled
    restart_needed: bool = False


def judge(entry: Json, redact: Redactor) -> Verdict:
    """Read a history entry."""
    for event, data in _messages(entry):
        if event == "execution_interrupted":
            return Verdict(Canceled())
        if event == "execution_error":
            return _node_failed(data, redact)
    if as_dict(entry.get("status")).get("status_str") == "success":
        return Verdict(Succeeded())
    return Verdict(
        Failed(
            failure=Failure(
                code=FailureCode.NODE_ERROR,
                message="ComfyUI reported an error and did not say which.",
            )
        )
    )


def _messages(entry: Json) -> Iterator[tuple[str, Json]]:
    for message in as_list(as_dict(entry.get("status")).get("messages")):
        pair = as_list(message)
        if len(pair) == 2:
            yield str(pair[0]), as_dict(pair[1])


def _node_failed(data: Json, redact: Redactor) -> Verdict:
    kind = str(data.get("exception_type") or "")
    text = str(data.get("exception_message") or kind or "The node failed without a message.")
    code, restart_needed = _classify(kind, text.lower())
    said = f"{kind}: {text}" if kind and not text.startswith(kind) else text
    failure = Failure(
        code=code,
        message=redact.text(f"{_ADVICE[code]}\n{said}" if code in _ADVICE else said),
        node_id=_short(data.get("node_id"), redact),
        class_type=_short(data.get("node_type"), redact),
        traceback=redact.traceback(as_list(data.get("traceback"))),
    )
    return Verdict(Failed(failure=failure), restart_needed)


def _classify(kind: str, text: str) -> tuple[FailureCode, bool]:
    """The code, and whether the process is spoiled."""
    if any(word in text for word in _HOST_OOM) or kind == "MemoryError":
        return FailureCode.OUT_OF_MEMORY, False
    if kind.endswith("OutOfMemoryError") or any(word in text for word in _GPU_OOM):
        return FailureCode.GPU_OOM, False
    if "device-side assert" in text:
        # A wrong index inside the workflow's own tensors: it would fail again, on a new process.
        return FailureCode.NODE_ERROR, True
    if any(word in text for word in _GPU_FAULT):
        return FailureCode.COMFYUI_CRASHED, True
    return FailureCode.NODE_ERROR, False


def _short(value: object, redact: Redactor) -> str | None:
    return None if value is None else redact.text(str(value), max_bytes=200)


# --- a refused prompt -------------------------------------------------------------------------


def judge_refusal(status: int, body: Json, redact: Redactor) -> Failure:
    """Read the answer to a POST /prompt that was not 200. The body may be anything."""
    error = as_dict(body.get("error"))
    problems = list(node_problems(body.get("node_errors")))
    message = str(error.get("message") or f"ComfyUI could not read the workflow (HTTP {status}).")
    node_id = as_dict(error.get("extra_info")).get("node_id")
    class_type = as_dict(error.get("extra_info")).get("class_type")
    if problems:
        message = "\n".join(problem.text for problem in problems)
        node_id, class_type = problems[0].node_id, problems[0].class_type
    elif details := error.get("details"):
        message = f"{message} ({details})"
        named = re.search(r"Node ID '#([^']+)'", message)
        node_id = node_id or (named and named[1])
    return Failure(
        code=_refusal_code(error, problems),
        message=redact.text(message),
        node_id=_short(node_id, redact),
        class_type=_short(class_type, redact),
    )


def _refusal_code(error: Json, problems: "list[NodeProblem]") -> FailureCode:
    message = str(error.get("message") or "")
    if error.get("type") == "missing_node_type" or "does not exist" in message:
        return FailureCode.MISSING_NODE
    if problems and all(problem.missing_model for problem in problems):
        return FailureCode.MISSING_MODEL
    return FailureCode.INVALID_WORKFLOW


@dataclass(frozen=True, slots=True)
class NodeProblem:
    """One validation error of one node."""

    node_id: str
    class_type: str
    text: str
    missing_model: bool


def node_problems(node_errors: object) -> Iterator[NodeProblem]:
    """Read `node_errors`, of a 400 and of a 200 that left outputs out."""
    for node_id, node in as_dict(node_errors).items():
        class_type = str(as_dict(node).get("class_type") or "")
        for error in as_list(as_dict(node).get("errors")):
            details = as_dict(error)
            said = ": ".join(
                str(details[part]) for part in ("message", "details") if details.get(part)
            )
            yield NodeProblem(
                node_id, class_type, f"{node_id} {class_type}: {said}", _is_missing_model(details)
            )


def _is_missing_model(error: Json) -> bool:
    if error.get("type") != "value_not_in_list":
        return False
    extra = as_dict(error.get("extra_info"))
    name, value = str(extra.get("input_name") or ""), str(extra.get("received_value") or "")
    return value.lower().endswith(_MODEL_SUFFIXES) or name.startswith(_MODEL_INPUTS)
