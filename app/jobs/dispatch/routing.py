"""Where a job runs, and why, in a sentence that is stored with it. Pure."""

from dataclasses import dataclass
from uuid import UUID

from app.errors import AppError
from app.workflows.environments.repository import Environment


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend and the reason for it."""

    backend: str
    reason: str


def choose_backend(name: str, environment: Environment | None, workspace_id: UUID) -> Choice:
    """The backend of an environment that may serve the workspace.

    Raises:
        AppError: 422 `backend_unavailable` that says the remedy.
    """
    if environment is None:
        if name == "local":
            return Choice("local", "local: no worker has registered yet; it waits for one")
        raise AppError(
            422,
            "backend_unavailable",
            f"No worker has registered an environment named {name!r}.",
        )
    if not environment.serves(workspace_id):
        raise AppError(
            422,
            "backend_unavailable",
            f"The environment {name!r} runs nodes with its operator's rights and therefore serves "
            "only the operator's own workspace. The operator can let its nodes run as a user of "
            "their own with COMFY_USER, vouch for them with COMFYUI_SHARED=1, or give other "
            "workspaces an environment of their own.",
        )
    return Choice(environment.backend, f"{environment.backend}: the only backend of {name!r}")
