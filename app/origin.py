"""Under which origin a caller reaches us: for the absolute URLs of v2."""

from dataclasses import dataclass

from fastapi import Request


@dataclass(frozen=True, slots=True)
class Origins:
    """`PUBLIC_URL` where it is set, else the origin of the request itself (its Host was checked)."""

    public_url: str | None

    def of(self, request: Request) -> str:
        """Origin and prefix, without a trailing slash."""
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"{request.url.scheme}://{request.url.netloc}"

    def prefix(self) -> str:
        """The path prefix of PUBLIC_URL, for host-relative links."""
        if not self.public_url:
            return ""
        _, _, rest = self.public_url.partition("://")
        _, slash, path = rest.partition("/")
        return f"{slash}{path}".rstrip("/")
