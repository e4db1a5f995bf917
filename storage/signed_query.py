"""Which request does a URL of ours allow? One HMAC over method, key and the whole query."""

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode

# The official SDK reads a URL's expiry from X-Goog-Date and X-Goog-Expires and from nothing else
# (facts/comfy-api-v2.md §6), so our URLs carry those names.
_DATE: Final = "X-Goog-Date"
_EXPIRES: Final = "X-Goog-Expires"
_BOUND: Final = "X-Cb-"
_SIGNATURE: Final = "X-Cb-Signature"
_DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_MOST_FIELDS: Final = 16


class BadSignatureError(Exception):
    """The URL was altered, has expired, or was never ours."""


def signed_query(
    signing_key: bytes, method: str, key: str, *, expires_s: float, bound: Mapping[str, str]
) -> str:
    """A query that allows one method on one key, as `bound` says, for `expires_s` from now."""
    query = {
        _DATE: datetime.now(UTC).strftime(_DATE_FORMAT),
        _EXPIRES: str(int(expires_s)),
        **{_BOUND + name: value for name, value in bound.items()},
    }
    return urlencode({**query, _SIGNATURE: _signature(signing_key, method, key, query)})


def verified_query(
    signing_key: bytes, method: str, key: str, *, query: str, names: Sequence[str]
) -> dict[str, str]:
    """What `bound` was, read from the raw query of a request.

    As with S3, nothing may be missing, added or said twice.

    Raises:
        BadSignatureError: for any other query, whatever it holds.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        values = dict(pairs)
        if len(values) != len(pairs):
            raise BadSignatureError
        given = values.pop(_SIGNATURE)
        expected = _signature(signing_key, method, key, values)
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise BadSignatureError
        if time.time() > _expires_at(values):
            raise BadSignatureError
        return {name: values[_BOUND + name] for name in names}
    except (KeyError, ValueError, OverflowError) as error:
        raise BadSignatureError from error


def _expires_at(values: Mapping[str, str]) -> float:
    signed_at = datetime.strptime(values[_DATE], _DATE_FORMAT).replace(tzinfo=UTC)
    return signed_at.timestamp() + int(values[_EXPIRES])


def _signature(signing_key: bytes, method: str, key: str, query: Mapping[str, str]) -> str:
    text = "\n".join([method, key, urlencode(sorted(query.items()))])
    return hmac.new(signing_key, text.encode(), hashlib.sha256).hexdigest()
