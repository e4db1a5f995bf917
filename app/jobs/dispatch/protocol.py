"""What a backend is to the front door: something to wake, or to call, after a commit."""

from typing import Protocol


class Dispatcher(Protocol):
    """A backend's bell. Ringing it late, twice or never loses nothing: the row is the queue."""

    def wake(self, backend: str) -> None:
        """There may be ready rows; returns at once and never raises."""
        ...
