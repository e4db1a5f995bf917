from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gpu_functions.comfyui.redact import MAX_FRAMES, Redactor, cut
from gpu_functions.contract import MAX_TEXT_BYTES

REDACT = Redactor(("/srv/ada/venv", "/srv/ada"))


def test_private_folders_become_an_ellipsis_and_look_alikes_stay() -> None:
    text = 'File "/srv/ada/venv/lib/x.py", /srv/ada/y and /srv/adam'
    assert REDACT.text(text) == 'File "…/lib/x.py", …/y and /srv/adam'


def test_the_own_interpreter_and_state_are_private() -> None:
    redact = Redactor.hiding([Path("/srv/burst/state")])
    assert redact.text("/srv/burst/state/output/a.png") == "…/output/a.png"


def test_secrets_and_queries_of_urls_are_blacked_out() -> None:
    secrets = [
        "cb_0123456789abcdef",
        "cbw_0123456789abcdef",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "hf_aBcDeFgHiJkLmNoP",
        "sk-proj-0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.e30.abc",
    ]
    text = REDACT.text(" ".join([*secrets, "https://s3.test/key?X-Amz-Signature=feed&a=b"]))
    assert not [secret for secret in secrets if secret in text]
    assert "https://s3.test/key?[redacted]" in text


def test_escapes_controls_and_bidi_marks_are_dropped() -> None:
    assert REDACT.text("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07l\x1b]8;;\x07 a\x00b\u202ec\td") == (
        "red l abc\td"
    )


def test_long_lines_and_texts_are_cut() -> None:
    assert len(REDACT.text("x" * 10_000)) == 500
    text = REDACT.text("line\n" * 1_000_000)
    assert len(text.encode()) <= MAX_TEXT_BYTES
    assert text.endswith("…")


def test_the_last_frames_of_a_traceback_are_kept() -> None:
    text = REDACT.traceback([f"frame {number}\n" for number in range(100)])
    assert text is not None
    assert text.splitlines()[0] == f"frame {100 - MAX_FRAMES}"
    assert text.splitlines()[-1] == "frame 99"
    assert REDACT.traceback([]) is None


@given(st.text(), st.integers(min_value=3, max_value=50))
def test_a_cut_text_is_valid_and_short_enough(text: str, max_bytes: int) -> None:
    assert len(cut(text, max_bytes).encode()) <= max_bytes


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_becomes_one_that_can_be_sent(text: str) -> None:
    assert len(REDACT.text(text).encode()) <= MAX_TEXT_BYTES
