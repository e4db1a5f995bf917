"""The GPU side: the worker, the executor, and what they say to the front door."""

import sys

# httpx imports its command line along with itself, and with it click, rich and pygments where they
# are installed: a quarter of the executor's start, in every container that starts for one job.
sys.modules.setdefault("httpx._main", None)  # pyright: ignore[reportArgumentType]
