"""How is a file named to whoever downloads it? Pure; names come from users."""

import re
from urllib.parse import quote

from storage.protocol import Delivery


def content_disposition(delivery: Delivery) -> str:
    """Content-Disposition with an ASCII name and its RFC 5987 form.

    Nothing of a user's name arrives as it is but letters, digits, dot, dash and space: neither a
    quote nor a line break can end the header, nor the URL that carries it.
    """
    kind = "inline" if delivery.inline else "attachment"
    name = delivery.file_name.encode("utf-8", "replace").decode()
    ascii_name = re.sub(r"[^\w.\- ]", "_", name, flags=re.ASCII)
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
