"""Whose links a reply carries: those of the origin under which its caller reached us."""

from fastapi import Request

from app.config import Settings
from app.jobs.render import Links
from app.origin import Origins
from app.provided import provided, provided_storage


def links_of(request: Request) -> Links:
    """Renders the URLs of one reply."""
    settings, origins = provided(request, Settings), provided(request, Origins)
    return Links(
        storage=provided_storage(request),
        origin=origins.of(request),
        prefix=origins.prefix(),
        url_expires_s=settings.url_expires_s,
        long_poll_s=settings.long_poll_s,
    )
