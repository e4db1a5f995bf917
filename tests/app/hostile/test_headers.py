"""Any value in any header that we read: never an error of ours."""

from string import printable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.conftest import House
from tests.app.hostile.wire import FILE, TEXTS, Wire, form

READ = (
    *("Accept", "Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "Prefer"),
    *("If-None-Match", "If-Range", "If-Modified-Since", "Range", "Last-Event-ID", "X-Request-Id"),
    *("Origin", "Sec-Fetch-Site", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Cookie"),
    *("TE", "Upgrade", "Connection", "traceparent", "X-HTTP-Method-Override"),
)
# Pieces that parsers look for, and anything that may stand in a header at all.
PIECES = st.sampled_from(
    [
        *(
            "multipart/form-data",
            "boundary=",
            "bound",
            ";",
            "=",
            '"',
            "\\",
            ",",
            "*",
            "utf-8''",
            "%",
        ),
        *(
            "application/json",
            "bytes=",
            "0-",
            "-",
            "wait=",
            "Bearer ",
            "gzip",
            "W/",
            "[",
            "://",
            "é",
        ),
        *("charset=", "name*0*=", "Mon, 01 Jan 0000 00:00:00 GMT", "9" * 30, "100-continue", "\t"),
    ]
)
SAFE = "".join(c for c in printable if c not in "\r\n\x0b\x0c")
VALUES = st.one_of(
    st.lists(PIECES, max_size=6).map("".join),
    st.text(SAFE, max_size=40),
    st.sampled_from(["", " "]),
)
HEADERS = st.lists(st.tuples(st.sampled_from(READ), VALUES), min_size=1, max_size=3)


def requests(asset_id: str) -> list[tuple[str, str, str, bytes]]:
    """One of each kind: a list, bytes, JSON in, a form in; with what Content-Type should say."""
    return [
        ("GET", "/api/v2/jobs", "", b""),
        ("GET", f"/api/v2/assets/{asset_id}/content", "", b""),
        ("POST", "/api/v2/jobs", "application/json", b"{}"),
        ("POST", "/api/v2/assets", "multipart/form-data; boundary=bound", form(TEXTS, FILE)),
    ]


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(headers=HEADERS)
def test_no_header_value_is_an_error_of_ours(
    house: House, wire: Wire, headers: list[tuple[str, str]]
) -> None:
    asset_id = house.alice.upload(b"0123456789").json()["id"]
    sent = [f"{name}: {value}" for name, value in headers]
    for method, path, content_type, body in requests(asset_id):
        lines = [f"Content-Length: {len(body)}", *sent]
        if content_type and "Content-Type" not in dict(headers):
            lines.append(f"Content-Type: {content_type}")
        replies = wire.send(wire.head(method, path, *lines) + body)
        assert [r for r in replies if r.status >= 500] == [], (method, path, lines)
