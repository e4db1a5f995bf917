"""Serves: `python -m comfy_images.engine --port N --base-directory DIR`."""

from __future__ import annotations

import logging
import sys

from aiohttp import web

from comfy_images.engine.application import create_application
from comfy_images.engine.options import parse_options


def main() -> None:
    """Serve until SIGINT or SIGTERM. What the requests do is not logged."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    options = parse_options(sys.argv[1:])
    # No grace for open connections: a stop is followed by a kill, and WebSockets never end.
    web.run_app(
        create_application(options),
        host=options.host,
        port=options.port,
        access_log=None,
        shutdown_timeout=0.1,
        print=None,
    )


if __name__ == "__main__":
    main()
