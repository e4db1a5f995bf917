"""What one socket is offered, and what it lets go."""

import asyncio

from aiohttp import web

from comfy_images.engine.sockets import Preview, Socket, SocketHub


def _previews(count: int) -> list[Preview]:
    return [Preview(bytes([n]), with_metadata=False) for n in range(count)]


async def test_a_slow_reader_loses_previews_and_no_event() -> None:
    """ComfyUI keeps every preview: 4 GB for 6,000 of them (sheet §2)."""
    socket = Socket(web.WebSocketResponse())

    for preview in _previews(200):
        socket.offer(preview)
        socket.offer("event")

    kept = [socket.outbox.get_nowait() for _ in range(socket.outbox.qsize())]
    assert kept.count("event") == 200
    assert len(kept) - 200 < 70


async def test_a_socket_gets_the_kind_of_preview_that_it_negotiated() -> None:
    plain = Socket(web.WebSocketResponse())
    modern = Socket(web.WebSocketResponse(), wants_metadata=True)

    for socket in (plain, modern):
        socket.offer(Preview(b"1", with_metadata=False))
        socket.offer(Preview(b"4", with_metadata=True))

    assert [s.outbox.get_nowait() for s in (plain, modern)] == [
        Preview(b"1", with_metadata=False),
        Preview(b"4", with_metadata=True),
    ]
    assert plain.outbox.empty()
    assert modern.outbox.empty()


async def test_an_event_for_one_client_is_for_no_other() -> None:
    hub = SocketHub()
    sockets = {name: Socket(web.WebSocketResponse()) for name in ("a", "b")}
    for name, socket in sockets.items():
        hub.attach(name, socket)

    hub.publish("x", {}, "a")
    hub.publish("y", {}, None)
    hub.publish("z", {}, "")
    await asyncio.sleep(0)

    assert sockets["a"].outbox.qsize() == 2
    assert sockets["b"].outbox.qsize() == 1
