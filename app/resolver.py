"""Names to addresses by the system's resolver, in threads that nobody ever waits for.

Name servers of strangers may never answer: in the event loop's own threads such questions would
starve everything else, and at the end of the process they would be joined.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class SystemResolver:
    """getaddrinfo; at most `AT_ONCE` questions are open."""

    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a name, in the order to try them.

        Raises:
            OSError: it has none, or nobody knows.
            UnicodeError: it cannot be a name.
        """
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()

        def settle(found: Sequence[str] | None, problem: OSError | UnicodeError | None) -> None:
            self._free.release()  # when the thread is done, not when its asker has given up
            if answer.done():
                return
            if problem is not None:
                answer.set_exception(problem)
            else:
                answer.set_result(found or [])

        def ask() -> None:
            found: Sequence[str] | None = None
            problem: OSError | UnicodeError | None = None
            try:
                places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found = [str(address[0]) for *_, address in places]
            except (OSError, UnicodeError) as error:
                problem = error
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, found, problem)

        threading.Thread(target=ask, name=f"resolver {host[:60]}", daemon=True).start()
        return await answer
