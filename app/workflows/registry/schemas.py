"""Public JSON of the registry: workflows, their versions, and what is different between two."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

from app.workflows.bindings.models import Bindings
from app.workflows.registry.models import (
    MAX_NOTES_LENGTH,
    Content,
    JsonObject,
    Version,
    Workflow,
)
from app.workflows.registry.names import ALIAS_PATTERN, LATEST, NAME_PATTERN

_STRICT = ConfigDict(extra="forbid", strict=True)
_SELECTOR_PATTERN = "^([1-9][0-9]{0,8}|[a-z][a-z0-9_-]{0,63})$"

Name = Annotated[
    str,
    Field(
        pattern=NAME_PATTERN,
        description="1 to 64 small letters, digits, `-` and `_`.",
        examples=["poster"],
    ),
]
Notes = Annotated[
    str, Field(max_length=MAX_NOTES_LENGTH, description="What this version is about, for people.")
]
_GRAPH: JsonDict = {"minProperties": 1}


class PushForm(BaseModel):
    """What is said beside a file that carries a workflow."""

    model_config = _STRICT

    name: Name
    bindings: Bindings | SkipJsonSchema[None] = Field(
        default=None,
        description="What it takes and gives. Default: proposed from the workflow itself; edit that "
        "by `PATCH …/bindings`.",
    )
    environment: str = Field(
        default="local", min_length=1, max_length=63, description="Which ComfyUI runs it, by name."
    )
    notes: Notes = ""


class PushRequest(PushForm):
    """A workflow to keep under a name."""

    workflow: dict[str, Any] = Field(
        json_schema_extra=_GRAPH,
        description="In API format, or as the ComfyUI editor saves it.",
    )


class BindingsPatch(BaseModel):
    """What is to be different (RFC 7396): fields replace, null takes away, a new name adds."""

    model_config = _STRICT

    inputs: dict[str, dict[str, Any] | None] = Field(
        default_factory=dict[str, dict[str, Any] | None],
        description="By the name of the input. `name` renames; an input that is new needs `targets` "
        "and `type`.",
        examples=[{"prompt": {"label": "Text"}, "seed": None}],
    )
    outputs: dict[str, dict[str, Any] | None] = Field(
        default_factory=dict[str, dict[str, Any] | None], description="By the name of the output."
    )
    version: str = Field(
        default=LATEST,
        pattern=_SELECTOR_PATTERN,
        description="The version to begin from, by number or word.",
        examples=["2"],
    )
    notes: Notes = ""


class AliasRequest(BaseModel):
    """Where a word is to lead."""

    model_config = _STRICT

    version: str = Field(
        pattern=_SELECTOR_PATTERN, description="By number or by another word.", examples=["2"]
    )


class RollbackRequest(BaseModel):
    """Nothing is needed."""

    model_config = _STRICT

    alias: str = Field(
        default=LATEST, pattern=ALIAS_PATTERN, description="The word that is to lead back."
    )
    version: Annotated[str, Field(pattern=_SELECTOR_PATTERN)] | SkipJsonSchema[None] = Field(
        default=None,
        description="Where to. Default: the version before the one it leads to now.",
        examples=["1"],
    )


class NamedWorkflowOut(BaseModel):
    """A workflow that can be run by name."""

    name: str
    newest: int = Field(description="Number of its newest version.")
    aliases: dict[str, int] = Field(
        description="Which version each word leads to. `latest` is what was pushed last, unless it "
        "was rolled back; a bare name means it."
    )
    created_at: datetime
    updated_at: datetime = Field(description="When a version was pushed or a word moved.")
    archived_at: datetime | None = Field(description="Archived since; it is not run then.")


class NamedWorkflowPage(BaseModel):
    """By name."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    workflows: list[NamedWorkflowOut]
    next_cursor: str | SkipJsonSchema[None] = Field(
        default=None, description="Pass it as `cursor`; absent on the last page."
    )


class VersionSummaryOut(BaseModel):
    """A version. It never changes."""

    reference: str = Field(
        description="`name@number`: what `POST /jobs` takes.", examples=["poster@2"]
    )
    workflow: str
    version: int
    environment: str = Field(description="Which ComfyUI runs it.")
    notes: str
    aliases: list[str] = Field(description="Words that lead to it now.")
    content_hash: str = Field(
        description="`sha256:<hex>` of graph, bindings and environment: equal content is one version."
    )
    has_source: bool = Field(description="Whether the editor's file is kept: `GET …/source`.")
    created_at: datetime


class VersionOut(VersionSummaryOut):
    """A version with what it takes and gives."""

    bindings: Bindings


class PushedOut(VersionOut):
    """The version that now is `latest`."""

    remarks: list[str] = Field(
        description="What was done to the file on the way, for people; often empty."
    )


class VersionWithGraphOut(VersionOut):
    """A version, whole."""

    graph: dict[str, Any] = Field(description="API format, as `inputs` are put into.")


class VersionPage(BaseModel):
    """Newest first."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    versions: list[VersionSummaryOut]
    next_cursor: str | SkipJsonSchema[None] = Field(
        default=None, description="Pass it as `cursor`; absent on the last page."
    )


class ChangeOut(BaseModel):
    """A field that differs."""

    model_config = ConfigDict(
        json_schema_mode_override="validation", populate_by_name=True, serialize_by_alias=True
    )

    field: str
    before: Any = Field(default=None, alias="from", description="Absent where it was added.")
    after: Any = Field(default=None, alias="to", description="Absent where it was removed.")


class NodeOut(BaseModel):
    """A node, as people find it."""

    node_id: str
    class_type: str
    title: str | None


class ChangedNodeOut(NodeOut):
    """A node that differs."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    class_type_before: str | SkipJsonSchema[None] = None
    title_before: str | None = Field(default=None, description="Absent where it is the same.")
    fields: list[ChangeOut] = Field(default_factory=list[ChangeOut])


class NodeChangesOut(BaseModel):
    """Nodes that came, went or differ."""

    added: list[NodeOut]
    removed: list[NodeOut]
    changed: list[ChangedNodeOut]


class ChangedBindingOut(BaseModel):
    """An input or output that differs."""

    name: str
    fields: list[ChangeOut]


class BindingChangesOut(BaseModel):
    """Inputs or outputs that came, went or differ, by name."""

    added: list[str]
    removed: list[str]
    changed: list[ChangedBindingOut]


class EnvironmentChangeOut(BaseModel):
    """Another ComfyUI."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    before: str = Field(alias="from")
    after: str = Field(alias="to")


class DiffOut(BaseModel):
    """What is different between two versions."""

    from_version: int
    to_version: int
    is_same: bool
    nodes: NodeChangesOut
    inputs: BindingChangesOut
    outputs: BindingChangesOut
    environment: EnvironmentChangeOut | None


class CodeSampleOut(BaseModel):
    """A whole program that runs the workflow; it reads COMFY_BASE_URL and COMFY_API_KEY."""

    lang: Literal["Shell", "Python", "JavaScript"]
    label: str = Field(examples=["comfy-sdk"])
    source: str


class CodeOut(BaseModel):
    """How to run a version, in several languages."""

    reference: str
    samples: list[CodeSampleOut]


class SourceOut(BaseModel):
    """The editor's file of a version."""

    source: dict[str, Any]


def render_workflow(workflow: Workflow) -> JsonObject:
    """A workflow."""
    return {
        "name": workflow.name,
        "newest": workflow.newest,
        "aliases": workflow.aliases,
        "created_at": workflow.created_at,
        "updated_at": workflow.updated_at,
        "archived_at": workflow.archived_at,
    }


def render_version(version: Version) -> JsonObject:
    """A version as it is listed."""
    return {
        "reference": f"{version.workflow}@{version.number}",
        "workflow": version.workflow,
        "version": version.number,
        "environment": version.environment,
        "notes": version.notes,
        "aliases": version.aliases,
        "content_hash": f"sha256:{version.content_hash.hex()}",
        "has_source": version.has_source,
        "created_at": version.created_at,
    }


def render_content(version: Version, content: Content, **more: Any) -> JsonObject:
    """A version with what it takes and gives."""
    bindings = content.bindings.model_dump(mode="json")
    return {**render_version(version), "bindings": bindings, **more}
