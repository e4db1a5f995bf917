"""Shifts Python's readings of the clock by SHIFTED_CLOCK_S seconds; put its folder on PYTHONPATH."""

import datetime as module
import os
import time

_SHIFT_S = float(os.environ.get("SHIFTED_CLOCK_S", "0"))
_time, _time_ns, _datetime = time.time, time.time_ns, module.datetime


class _Shifted(_datetime):
    @classmethod
    def now(cls, tz: module.tzinfo | None = None) -> "_Shifted":
        return cls.fromtimestamp(time.time(), tz)


time.time = lambda: _time() + _SHIFT_S
time.time_ns = lambda: _time_ns() + int(_SHIFT_S * 1e9)
module.datetime = _Shifted
