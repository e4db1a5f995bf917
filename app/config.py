"""Every environment variable of the front door, once. `.env.example` is compared with this file."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_STATE = Path(".comfyburst")
"""Where `./dev` keeps everything it makes; git-ignored."""

Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Read once at start. Names are the field's own where one exists (`DATABASE_URL`, ...)."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    state: Path = Field(
        default=DEFAULT_STATE,
        validation_alias="COMFYBURST_STATE",
        description="Folder for the secret, local storage and what the embedded parts keep.",
    )
    secret: SecretStr | None = Field(
        default=None,
        validation_alias="COMFYBURST_SECRET",
        description="At least 32 characters; tokens, signed URLs and encryption keys are derived "
        "from it. Default: made once in the state folder.",
    )
    database_url: str = Field(
        default="",
        validation_alias="DATABASE_URL",
        description="postgresql://… of Postgres 16 or newer. Empty: ./dev starts an embedded one.",
    )
    database_pooler: bool = Field(
        default=False,
        validation_alias="DATABASE_TRANSACTION_POOLER",
        description="True behind a transaction pooler: switches prepared statements off.",
    )
    database_pool_size: int = Field(
        default=10,
        ge=2,
        validation_alias="DATABASE_POOL_SIZE",
        description="Connections per front door.",
    )
    database_timeout_s: Seconds = Field(
        default=5.0,
        validation_alias="DATABASE_TIMEOUT_S",
        description="Wait for a connection or a statement at most so long, then answer 503.",
    )
    redis_url: str = Field(
        default="",
        validation_alias="REDIS_URL",
        description="redis://… or unix://…: hints and wake-ups only. Empty: ./dev starts an "
        "embedded Valkey; a front door alone then works without.",
    )
    s3_bucket: str = Field(
        default="",
        validation_alias="S3_BUCKET",
        description="A bucket of our own for all files (docs/storage.md). Empty: the folder "
        "`storage` of COMFYBURST_STATE.",
    )
    s3_endpoint_url: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        validation_alias="S3_ENDPOINT_URL",
        description="http(s)://… of MinIO, R2, Supabase Storage and others. Default: AWS S3.",
    )
    s3_public_endpoint_url: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        validation_alias="S3_PUBLIC_ENDPOINT_URL",
        description="The same storage under the name that callers and workers reach; signed URLs "
        "carry it. Default: S3_ENDPOINT_URL.",
    )
    s3_region: str = Field(
        default="us-east-1",
        validation_alias="S3_REGION",
        description="Region of the bucket; `auto` for R2.",
    )
    s3_addressing: Literal["path", "virtual", "auto"] = Field(
        default="path",
        validation_alias="S3_ADDRESSING",
        description="Whether the bucket stands in the path of a URL or in its host name.",
    )
    aws_access_key_id: str = Field(
        default="",
        validation_alias="AWS_ACCESS_KEY_ID",
        description="Key for the bucket. Default: what boto3 finds: a profile, a web identity, "
        "the role of the machine.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None,
        validation_alias="AWS_SECRET_ACCESS_KEY",
        description="The secret of AWS_ACCESS_KEY_ID.",
    )
    aws_session_token: SecretStr | None = Field(
        default=None,
        validation_alias="AWS_SESSION_TOKEN",
        description="The token of a temporary key. Signed URLs end with it, whatever they say.",
    )
    public_url: str | None = Field(
        default=None,
        validation_alias="PUBLIC_URL",
        description="Origin (and prefix) under which callers and Modal reach us. "
        "Default: the loopback origin of each request.",
    )
    internal_url: str | None = Field(
        default=None,
        validation_alias="INTERNAL_URL",
        description="Origin under which local workers reach us. Default: http://127.0.0.1:PORT.",
    )
    host: str = Field(
        default="127.0.0.1",
        validation_alias="COMFYBURST_HOST",
        description="Address to listen on. Anything but loopback needs PUBLIC_URL.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        validation_alias="COMFYBURST_PORT",
        description="Port to listen on; 0 takes any free one.",
    )
    allowed_hosts: str = Field(
        default="",
        validation_alias="COMFYBURST_ALLOWED_HOSTS",
        description="More Host names to answer to, comma separated; loopback and PUBLIC_URL's "
        "are always in.",
    )
    local_workspace: str = Field(
        default="local",
        validation_alias="COMFYBURST_WORKSPACE",
        description="Name of the workspace ./dev makes; in one-user mode the only one served.",
    )
    lease_s: Seconds = Field(
        default=30.0,
        validation_alias="COMFYBURST_LEASE_S",
        description="A running job without a sign of life for so long is given to another worker.",
    )
    heartbeat_s: Seconds = Field(
        default=5.0,
        validation_alias="COMFYBURST_HEARTBEAT_S",
        description="How often an executor says that it lives.",
    )
    reap_every_s: Seconds = Field(
        default=5.0,
        validation_alias="COMFYBURST_REAP_EVERY_S",
        description="How often passed leases, deadlines and expiries are looked for.",
    )
    max_tries: int = Field(
        default=3,
        ge=1,
        validation_alias="COMFYBURST_MAX_TRIES",
        description="Starts of one job at most, before it fails.",
    )
    retry_backoff_s: float = Field(
        default=2.0,
        ge=0,
        validation_alias="COMFYBURST_RETRY_BACKOFF_S",
        description="Pause before the second start; doubles each time, at most 60 s.",
    )
    max_queued: int = Field(
        default=10_000,
        ge=1,
        validation_alias="COMFYBURST_MAX_QUEUED",
        description="Most jobs of one workspace that may wait; more are 429 queue_full.",
    )
    max_running: int | None = Field(
        default=None,
        ge=1,
        validation_alias="COMFYBURST_MAX_RUNNING",
        description="Most jobs of one workspace that run on local workers at once. Default: as "
        "many as there are workers.",
    )
    start_within_s: Seconds = Field(
        default=86_400.0,
        validation_alias="COMFYBURST_START_WITHIN_S",
        description="A job not started for so long becomes expired.",
    )
    deadline_s: Seconds = Field(
        default=3_600.0,
        validation_alias="COMFYBURST_DEADLINE_S",
        description="A job not ended so long after its first start fails with `deadline`.",
    )
    stall_timeout_s: Seconds = Field(
        default=300.0,
        validation_alias="COMFYBURST_STALL_TIMEOUT_S",
        description="ComfyUI without any progress for so long is restarted; the job fails "
        "with `stalled`.",
    )
    cancel_grace_s: Seconds = Field(
        default=15.0,
        validation_alias="COMFYBURST_CANCEL_GRACE_S",
        description="A cancel not answered by the executor for so long is carried out without it.",
    )
    retention_s: Seconds = Field(
        default=7 * 86_400.0,
        validation_alias="COMFYBURST_RETENTION_S",
        description="Jobs and their outputs are kept so long.",
    )
    asset_retention_s: Seconds | None = Field(
        default=None,
        validation_alias="COMFYBURST_ASSET_RETENTION_S",
        description="Uploads that do not say `expires_in` are kept so long. "
        "Default: until they are deleted.",
    )
    idempotency_s: Seconds = Field(
        default=86_400.0,
        validation_alias="COMFYBURST_IDEMPOTENCY_S",
        description="An Idempotency-Key is remembered so long.",
    )
    sweep_every_s: Seconds = Field(
        default=60.0,
        validation_alias="COMFYBURST_SWEEP_EVERY_S",
        description="How often expired jobs, assets and keys are looked for.",
    )
    sweep_after_s: Seconds = Field(
        default=86_400.0,
        validation_alias="COMFYBURST_SWEEP_AFTER_S",
        description="Bytes without an owner are left alone for so long, since an upload may still "
        "be on its way. More than COMFYBURST_URL_EXPIRES_S.",
    )
    max_json_bytes: int = Field(
        default=10_000_000,
        validation_alias="COMFYBURST_MAX_JSON_BYTES",
        description="Largest JSON body of the public API.",
    )
    max_upload_bytes: int = Field(
        default=2_000_000_000,
        validation_alias="COMFYBURST_MAX_UPLOAD_BYTES",
        description="Largest uploaded asset.",
    )
    max_nodes: int = Field(
        default=5_000,
        validation_alias="COMFYBURST_MAX_NODES",
        description="Most nodes in one graph.",
    )
    max_graph_bytes: int = Field(
        default=2_000_000,
        ge=1,
        validation_alias="COMFYBURST_MAX_GRAPH_BYTES",
        description="Largest graph, as JSON in API format, of a workflow that is kept by name.",
    )
    max_source_bytes: int = Field(
        default=5_000_000,
        ge=1,
        validation_alias="COMFYBURST_MAX_SOURCE_BYTES",
        description="Largest editor's file, as JSON, that is kept with a workflow.",
    )
    max_workflow_file_bytes: int = Field(
        default=100_000_000,
        ge=1,
        validation_alias="COMFYBURST_MAX_WORKFLOW_FILE_BYTES",
        description="Largest file that a workflow is looked for in.",
    )
    max_workflows: int = Field(
        default=1_000,
        ge=1,
        validation_alias="COMFYBURST_MAX_WORKFLOWS",
        description="Most workflows of one workspace, archived ones included.",
    )
    max_workflow_versions: int = Field(
        default=1_000,
        ge=1,
        validation_alias="COMFYBURST_MAX_WORKFLOW_VERSIONS",
        description="Most versions of one workflow.",
    )
    max_inputs_bytes: int = Field(
        default=65_536,
        ge=1,
        validation_alias="COMFYBURST_MAX_INPUTS_BYTES",
        description="Most bytes of the `inputs` of one job, as JSON: they are shown with the job.",
    )
    workflow_cache_bytes: int = Field(
        default=16_000_000,
        ge=0,
        validation_alias="COMFYBURST_WORKFLOW_CACHE_BYTES",
        description="Versions of workflows kept in memory per front door, counted as JSON.",
    )
    max_outputs: int = Field(
        default=1_000,
        validation_alias="COMFYBURST_MAX_OUTPUTS",
        description="Most output files of one job.",
    )
    max_output_bytes: int = Field(
        default=10_000_000_000,
        validation_alias="COMFYBURST_MAX_OUTPUT_BYTES",
        description="Most output bytes of one job.",
    )
    max_streams: int = Field(
        default=10_000,
        ge=1,
        validation_alias="COMFYBURST_MAX_STREAMS",
        description="Most event streams open at once in one front door; fewer where the system "
        "allows it fewer open files. Above it: 429 `too_many_streams`.",
    )
    stream_stall_s: Seconds = Field(
        default=30.0,
        validation_alias="COMFYBURST_STREAM_STALL_S",
        description="A stream whose reader takes nothing for so long is cut; `Last-Event-ID` "
        "resumes it.",
    )
    allow_private_urls: bool = Field(
        default=False,
        validation_alias="COMFYBURST_ALLOW_PRIVATE_URLS",
        description="True: webhooks may go to private and loopback addresses, on any port. For "
        "laptops and tests; never where strangers hold keys.",
    )
    max_webhook_endpoints: int = Field(
        default=20,
        ge=0,
        validation_alias="COMFYBURST_MAX_WEBHOOK_ENDPOINTS",
        description="Most webhook endpoints of one workspace.",
    )
    webhook_timeout_s: float = Field(
        default=15.0,
        gt=0,
        le=30,
        validation_alias="COMFYBURST_WEBHOOK_TIMEOUT_S",
        description="A webhook receiver has so long for its whole answer.",
    )
    long_poll_s: float = Field(
        default=20.0,
        ge=0,
        le=25,
        validation_alias="COMFYBURST_LONG_POLL_S",
        description="How long `urls.self` holds a GET until the job ends; 0 switches it off.",
    )
    url_expires_s: Seconds = Field(
        default=900.0,
        validation_alias="COMFYBURST_URL_EXPIRES_S",
        description="Life of a signed URL.",
    )
    idempotency: Literal["replay", "reject"] = Field(
        default="replay",
        validation_alias="COMFYBURST_IDEMPOTENCY",
        description="Same key and body again: `replay` answers the same job, `reject` is the "
        "letter of v2 (422 idempotency_key_reuse).",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        validation_alias="COMFYBURST_METRICS_TOKEN",
        description="Bearer token that may read /metrics from elsewhere. Empty: only this machine "
        "may.",
    )
    otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Collector of traces, for instance http://127.0.0.1:4318. Needs the extra "
        "`otel`; empty: nothing is traced and OpenTelemetry is never imported.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        validation_alias="COMFYBURST_LOG_LEVEL",
        description="Lines below it are not written. Logs are JSON, one object a line.",
    )
