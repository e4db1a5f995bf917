"""The calls people copy first, as they are typed: shown beside the operation they use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sample:
    """A whole program; it reads COMFY_BASE_URL and COMFY_API_KEY."""

    lang: str
    source: str


def _curl(source: str) -> Sample:
    return Sample("Shell", source.strip() + "\n")


def _python(source: str) -> Sample:
    return Sample("Python", source.strip() + "\n")


SAMPLES: Final[Mapping[str, tuple[Sample, ...]]] = {
    "postJobs": (
        _curl(r"""
curl -s $COMFY_BASE_URL/api/v2/jobs \
  -H "Authorization: Bearer $COMFY_API_KEY" \
  -H "Content-Type: application/json" \
  -H "Idempotency-Key: poster-$(date +%s)" \
  -d "{\"workflow\": $(cat comfy_images/catalog/poster.json)}"
"""),
        _python("""
from comfy_sdk import Comfy

with Comfy() as client:
    workflow = client.workflows.from_file("comfy_images/catalog/poster.json")
    job = client.submit(workflow)
    for output in job.result().outputs:
        output.to_file(output.name)
"""),
    ),
    "listJobs": (
        _curl(r"""
curl -s -G $COMFY_BASE_URL/api/v2/jobs \
  -H "Authorization: Bearer $COMFY_API_KEY" \
  -d status=queued,running -d tag=poster -d 'metadata[campaign]=7'
"""),
    ),
    "getJob": (
        _curl(r"""
curl -s "$COMFY_BASE_URL/api/v2/jobs/$JOB_ID?wait=20" \
  -H "Authorization: Bearer $COMFY_API_KEY"
"""),
    ),
    "getJobEvents": (
        _curl(r"""
curl -sN $COMFY_BASE_URL/api/v2/jobs/$JOB_ID/events \
  -H "Authorization: Bearer $COMFY_API_KEY"
"""),
        _python("""
from comfy_sdk import Comfy

with Comfy() as client:
    workflow = client.workflows.from_file("comfy_images/catalog/poster.json")
    for event in client.submit(workflow).events():
        print(event)
"""),
    ),
    "getEvents": (
        _curl(r"""
curl -sN $COMFY_BASE_URL/api/v2/events \
  -H "Authorization: Bearer $COMFY_API_KEY"
"""),
    ),
    "postAssets": (
        _curl(r"""
curl -s $COMFY_BASE_URL/api/v2/assets \
  -H "Authorization: Bearer $COMFY_API_KEY" \
  -F content_type=image/png -F file_path=photo.png -F tags=input \
  -F file=@photo.png
"""),
    ),
    "getAssetContent": (
        _curl(r"""
curl -sL -C - $COMFY_BASE_URL/api/v2/assets/$ASSET_ID/content \
  -H "Authorization: Bearer $COMFY_API_KEY" \
  -o photo.png
"""),
    ),
}
