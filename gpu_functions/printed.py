"""What ComfyUI prints while a job runs, told as events of that job.

Only where the process is ours and serves one workspace: the lines of a shared one, or of somebody
else's, may be anybody's.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from gpu_functions.comfyui.console import Console
from gpu_functions.comfyui.logfile import LogFile
from gpu_functions.comfyui.redact import Redactor
from gpu_functions.contract import Log
from gpu_functions.events import EventSender

MARK = "comfyui | "
"""Before each line, so that no node can speak in our name: no note of ours begins with it."""

_TOGETHER_S = 0.25
"""Lines wait so long for others, so that they travel in one request."""
_LAST_WORDS_S = 0.3
"""For what a process that died has left in its pipe: the reason, mostly."""


@dataclass(slots=True)
class Printed:
    """Listens from `start` to `stop`. `file` is None where there is nothing to listen to."""

    file: LogFile | None
    sender: EventSender
    redact: Redactor
    _console: Console = field(init=False)
    _lines: list[str] = field(default_factory=list[str])
    _telling: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self._console = Console(self._say, self.redact)

    def start(self) -> None:
        """From now on."""
        if self.file is not None:
            self.file.listener = self._console.feed

    async def last_words(self) -> None:
        """Wait for the rest of what a dead process has printed."""
        if self.file is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self.file.ended.wait()

    def stop(self) -> None:
        """Listen no longer, and tell what was heard; may be called again."""
        if self.file is None or self.file.listener != self._console.feed:
            return
        self.file.listener = None
        self._console.close()
        self._tell()
        if self._console.dropped:
            count = f"{self._console.dropped:,}"
            note = f"ComfyUI printed {count} more lines: more than the log of a job keeps."
            self.sender.add(Log(level="warning", message=note))

    def _say(self, line: str) -> None:
        self._lines.append(line)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_TOGETHER_S, self._tell)

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        lines, self._lines = self._lines, []
        for line in lines:
            self.sender.add(Log(level="info", message=f"{MARK}{line}"))
