"""Files in a bucket, as callers see it: an origin of its own, which keeps a record."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from tests.conformance.clients.authority import Identity
from tests.conformance.clients.front import Front, fronting
from tests.storage.servers import BUCKET, moto


@contextmanager
def bucket(identity: Identity | None = None) -> Generator[tuple[Front, dict[str, Any]]]:
    """A simulated S3 behind a front, and the settings of a front door that uses it."""
    with moto() as server:
        endpoint = getattr(server.place, "endpoint_url", "")
        with fronting(endpoint, identity=identity) as front:
            yield (
                front,
                {
                    "s3_bucket": BUCKET,
                    "s3_endpoint_url": endpoint,
                    "s3_public_endpoint_url": front.url,
                    "aws_access_key_id": "any",
                    "aws_secret_access_key": SecretStr("any"),
                },
            )
