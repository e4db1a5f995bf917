"""Which bucket is meant? Known without boto3, which only those import who use it."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class S3Place:
    """Which bucket, where, and who we are there.

    `public_endpoint_url` is the same storage under the name that callers and workers reach. Without
    an access key boto3's own chain finds one: variables, profile, web identity, instance role.
    """

    bucket: str
    endpoint_url: str | None = None
    public_endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    addressing: Literal["path", "virtual", "auto"] = "path"

    def __str__(self) -> str:
        return f"bucket {self.bucket} at {self.endpoint_url or f'AWS S3 in {self.region}'}"
