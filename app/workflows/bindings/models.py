"""What a workflow takes and gives, by name: inputs bound to fields of its graph, outputs to its nodes.

Shapes and their limits alone; what must agree with a graph is held by `check`. All immutable: a version
of a workflow keeps its bindings as they are.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_INPUTS: Final = 200
MAX_OUTPUTS: Final = 200
MAX_TARGETS: Final = 1_000
"""Of one input; what would need more is not proposed, since a part of it would be wrong."""
MAX_CHOICES: Final = 2_000
"""Of one input; lists of models are the long ones."""
MAX_NAME_LENGTH: Final = 63
MAX_LABEL_LENGTH: Final = 200
MAX_HELP_LENGTH: Final = 2_000
MAX_UNIT_LENGTH: Final = 16
MAX_NODE_ID_LENGTH: Final = 200
MAX_FIELD_LENGTH: Final = 200

InputType = Literal["text", "integer", "number", "boolean", "choice", "seed", "file"]
"""A `seed` is an integer that can be asked for as `"random"`; a `choice` one of `choices`."""
FileKind = Literal["image", "mask", "video", "audio", "mesh", "file"]
OutputKind = Literal["image", "video", "audio", "text", "file", "latent"]
"""As outputs of jobs are typed; 3D is a `file`."""
Group = Literal["main", "advanced"]

Scalar = bool | int | float | str
Value = Scalar | dict[str, Any]
"""A dict is an asset handle, of a `file` alone."""

Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        max_length=MAX_NAME_LENGTH,
        description="Small letters, digits and underscores; what callers write.",
        examples=["prompt"],
    ),
]
NodeId = Annotated[str, Field(min_length=1, max_length=MAX_NODE_ID_LENGTH)]
Label = Annotated[str, Field(max_length=MAX_LABEL_LENGTH, description="For people.")]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Target(_Frozen):
    """One field of the graph."""

    node_id: NodeId = Field(examples=["6"])
    input: str = Field(
        min_length=1,
        max_length=MAX_FIELD_LENGTH,
        description="Name of the node's input; dotted where the node nests them.",
        examples=["text"],
    )


class InputBinding(_Frozen):
    """One named value that a caller can give."""

    name: Name
    targets: tuple[Target, ...] = Field(
        min_length=1,
        max_length=MAX_TARGETS,
        strict=False,
        description="Every field that takes the value.",
    )
    type: InputType = Field(
        description="`seed`: an integer, or `random`. `choice`: one of `choices`. `file`: an asset."
    )
    label: Label = ""
    help: str = Field(default="", max_length=MAX_HELP_LENGTH, description="For people.")
    default: Value | None = Field(
        default=None, description="Used where the caller gives none; null: there is none."
    )
    required: bool = Field(default=False, description="True: a caller must give it.")
    minimum: int | float | None = Field(default=None, description="Of a number, itself allowed.")
    maximum: int | float | None = Field(default=None, description="Of a number, itself allowed.")
    step: int | float | None = Field(
        default=None, gt=0, description="What a form counts by; values between are taken."
    )
    choices: tuple[Scalar, ...] | None = Field(
        default=None, max_length=MAX_CHOICES, strict=False, description="Of a `choice` alone."
    )
    unit: str | None = Field(default=None, max_length=MAX_UNIT_LENGTH, examples=["px"])
    file_kind: FileKind | None = Field(default=None, description="Of a `file` alone.")
    group: Group = Field(default="main", description="`advanced`: folded away in a form.")
    multiline: bool = Field(default=False, description="Of a `text`: it may have several lines.")
    random_when_omitted: bool = Field(
        default=False, description="Of a `seed`: drawn afresh where the caller gives none."
    )


class OutputBinding(_Frozen):
    """One named result."""

    name: Name
    node_id: NodeId = Field(description="The node whose files or texts these are.")
    kind: OutputKind
    label: Label = ""


class Bindings(_Frozen):
    """All that a workflow takes and gives."""

    inputs: tuple[InputBinding, ...] = Field(default=(), max_length=MAX_INPUTS, strict=False)
    outputs: tuple[OutputBinding, ...] = Field(default=(), max_length=MAX_OUTPUTS, strict=False)


class Fault(_Frozen):
    """One thing that is wrong with the value of an input, or with a binding."""

    name: str
    """Of the input or output, as it was given."""
    code: str
    """Stable."""
    message: str
