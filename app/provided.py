"""How a route gets its services: `main.py` provides them by type, a route asks by type."""

from typing import TypeVar

from fastapi import FastAPI, Request

from storage.protocol import Storage

T = TypeVar("T")


def provide(app: FastAPI, *services: object, **by_name: object) -> None:
    """Give the application its services; `by_name` for what is known by a protocol."""
    known: dict[object, object] = getattr(app.state, "services", {})
    known.update({type(service): service for service in services})
    known.update(by_name)
    app.state.services = known


def provided(request: Request, kind: type[T]) -> T:
    """The service of that type."""
    service = request.app.state.services[kind]
    assert isinstance(service, kind)
    return service


def provided_storage(request: Request) -> Storage:
    """The storage, whichever it is."""
    return request.app.state.services["storage"]
