from typing import Any

import pytest

from gpu_functions.comfyui.redact import Redactor
from gpu_functions.comfyui.verdict import judge, judge_refusal, node_problems
from gpu_functions.contract import Canceled, Failed, Failure, FailureCode, Json, Succeeded

REDACT = Redactor(("/comfyui", "/comfy-data"))


def failed(entry: Json) -> Failure:
    ending = judge(entry, REDACT).ending
    assert isinstance(ending, Failed)
    return ending.failure


def error_entry(**data: object) -> Json:
    return {"status": {"status_str": "error", "messages": [["execution_error", data]]}}


def test_a_finished_run_succeeds(histories: dict[str, Any]) -> None:
    assert judge(histories["1-photo-edit"], REDACT).ending == Succeeded()


def test_an_interrupted_run_is_canceled_though_its_status_says_error(
    histories: dict[str, Any],
) -> None:
    assert judge(histories["interrupted"], REDACT).ending == Canceled()


def test_blocked_outputs_do_not_make_a_success_a_failure() -> None:
    entry: Json = {"status": {"status_str": "success", "messages": [["execution_success", {}]]}}
    assert judge(entry, REDACT).ending == Succeeded()


def test_a_node_that_raises_is_named_with_its_traceback_and_nothing_else(
    histories: dict[str, Any],
) -> None:
    failure = failed(histories["error-valueerror"])
    assert failure.code is FailureCode.NODE_ERROR
    assert (failure.node_id, failure.class_type) == ("7", "R8Raise")
    assert failure.message == "ValueError: boom"
    assert failure.traceback is not None
    assert 'File "…/execution.py"' in failure.traceback
    assert "/comfyui" not in failure.traceback
    assert "tensor" not in failure.model_dump_json(), "current_inputs are the user's own data"


def test_memory_of_the_gpu_that_ran_out_is_told_from_other_errors(
    histories: dict[str, Any],
) -> None:
    failure = failed(histories["error-oom"])
    assert failure.code is FailureCode.GPU_OOM
    advice, said = failure.message.split("\n", 1)
    assert "smaller" in advice
    assert "OutOfMemoryError" in said
    assert not judge(histories["error-oom"], REDACT).restart_needed


def test_a_cuda_assert_is_the_nodes_and_spoils_the_process(histories: dict[str, Any]) -> None:
    verdict = judge(histories["error-cuda"], REDACT)
    assert verdict.restart_needed
    assert failed(histories["error-cuda"]).code is FailureCode.NODE_ERROR


@pytest.mark.parametrize(
    ("kind", "message", "code", "spoiled"),
    [
        ("MemoryError", "", FailureCode.OUT_OF_MEMORY, False),
        (
            "RuntimeError",
            "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory",
            FailureCode.OUT_OF_MEMORY,
            False,
        ),
        ("torch.cuda.OutOfMemoryError", "x", FailureCode.GPU_OOM, False),
        ("RuntimeError", "CUDA out of memory. Tried", FailureCode.GPU_OOM, False),
        (
            "RuntimeError",
            "CUDA error: unspecified launch failure",
            FailureCode.COMFYUI_CRASHED,
            True,
        ),
        ("KeyError", "'x'", FailureCode.NODE_ERROR, False),
    ],
)
def test_errors_are_classed_by_type_and_message(
    kind: str, message: str, code: FailureCode, *, spoiled: bool
) -> None:
    entry = error_entry(exception_type=kind, exception_message=message)
    assert failed(entry).code is code
    assert judge(entry, REDACT).restart_needed is spoiled


@pytest.mark.parametrize("entry", [{}, {"status": None}, {"status": {"messages": [1, [2], None]}}])
def test_an_entry_that_makes_no_sense_is_a_failure_not_an_exception(entry: Json) -> None:
    assert failed(entry).code is FailureCode.NODE_ERROR


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("note", "code", "node_id", "words"),
    [
        ("missing node type", FailureCode.MISSING_NODE, "1", "NopeNode does not exist"),
        ("no class_type", FailureCode.INVALID_WORKFLOW, "1", "class_type"),
        ("required_input_missing", FailureCode.INVALID_WORKFLOW, "1", "Required input is missing"),
        ("value_not_in_list", FailureCode.INVALID_WORKFLOW, "3", "upscale_method"),
        ("self cycle", FailureCode.INVALID_WORKFLOW, None, "failed validation"),
        ("no outputs", FailureCode.INVALID_WORKFLOW, None, "no outputs"),
        ("prompt null", FailureCode.INVALID_WORKFLOW, None, "HTTP 500"),
    ],
)
def test_a_refused_prompt_says_what_is_wrong_where(
    prompt_replies: dict[str, Any], note: str, code: FailureCode, node_id: str | None, words: str
) -> None:
    reply = prompt_replies[note]
    failure = judge_refusal(reply["status"], reply["body"], REDACT)
    assert failure.code is code
    assert failure.node_id == node_id
    assert words in failure.message


def test_a_model_that_is_not_installed_is_told_from_a_wrong_choice() -> None:
    body = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "no"},
        "node_errors": {
            "4": {
                "class_type": "CheckpointLoaderSimple",
                "errors": [
                    {
                        "type": "value_not_in_list",
                        "message": "Value not in list",
                        "details": "ckpt_name: 'v1.safetensors' not in []",
                        "extra_info": {
                            "input_name": "ckpt_name",
                            "received_value": "v1.safetensors",
                        },
                    }
                ],
            }
        },
    }
    failure = judge_refusal(400, body, REDACT)
    assert failure.code is FailureCode.MISSING_MODEL
    assert "v1.safetensors" in failure.message
    assert failure.class_type == "CheckpointLoaderSimple"


def test_outputs_left_out_of_an_accepted_prompt_are_listed(prompt_replies: dict[str, Any]) -> None:
    body = prompt_replies["partial: one good one bad output"]["body"]
    (problem,) = node_problems(body["node_errors"])
    assert problem.node_id == "3"
    assert "smaller than min" in problem.text


@pytest.mark.parametrize("body", [{}, {"error": "text"}, {"error": [], "node_errors": {"1": 5}}])
def test_a_body_of_any_shape_is_a_failure_with_words(body: Json) -> None:
    assert judge_refusal(502, body, REDACT).message
