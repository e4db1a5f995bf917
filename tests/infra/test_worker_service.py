"""What a worker of the stack is given."""

import os

from infra.local.worker import token_pipe, worker_environment


def test_a_worker_sees_its_own_settings_and_the_gpu_and_no_secret() -> None:
    ours = {
        "PATH": "/bin",
        "COMFYUI_DIR": "/comfy",
        "CUDA_VISIBLE_DEVICES": "1",
        "COMFYBURST_PROBES": "1",
        "COMFYBURST_SECRET": "s",
        "DATABASE_URL": "postgresql://u:p@h/d",
        "COMFY_API_KEY": "k",
        "MODAL_TOKEN_SECRET": "m",
        "AWS_SECRET_ACCESS_KEY": "a",
    }
    seen = worker_environment(ours)
    assert seen == {
        "PATH": "/bin",
        "COMFYUI_DIR": "/comfy",
        "CUDA_VISIBLE_DEVICES": "1",
        "COMFYBURST_PROBES": "1",
    }


def test_the_token_comes_through_a_pipe_that_is_named_and_closed_afterwards() -> None:
    with token_pipe("secret") as handover:
        (descriptor,) = handover.descriptors
        assert handover.env == {"COMFYBURST_WORKER_TOKEN_FD": str(descriptor)}
        copy = os.dup(descriptor)
    with os.fdopen(copy, "rb") as pipe:
        assert pipe.read() == b"secret"
