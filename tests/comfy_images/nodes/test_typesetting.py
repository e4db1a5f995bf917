"""Copy is set whole, inside its measure, and cut with an ellipsis only when nothing else helps."""

from comfy_images.nodes.drawing.lettering import clean, em_width, is_sign
from comfy_images.nodes.drawing.type_plate import split_copy
from comfy_images.nodes.drawing.typesetting import fit


def test_a_short_prompt_is_all_title() -> None:
    assert split_copy("Lighthouse at dusk") == ("Lighthouse at dusk", "")


def test_the_first_clause_of_a_long_prompt_is_its_title() -> None:
    title, body = split_copy("a harbour in fog, long exposure, muted colours, 35mm film grain")
    assert title == "a harbour in fog"
    assert body == "long exposure, muted colours, 35mm film grain"


def test_a_long_prompt_without_clauses_loses_no_word() -> None:
    copy = "the quick brown fox jumps over the lazy dog and runs into the dark wood"
    title, body = split_copy(copy)
    assert f"{title} {body}" == copy


def test_lines_stay_inside_their_measure_and_keep_every_word() -> None:
    copy = "Internationale Musikfestwochen im Kongresshaus"
    block = fit(copy, 300, 200, largest=90, smallest=8, lead=1.0)
    assert " ".join(block.lines) == copy
    assert block.height <= 200
    assert all(em_width(line) * block.size <= 300 for line in block.lines)


def test_what_cannot_fit_ends_in_an_ellipsis() -> None:
    block = fit("word " * 500, 100, 60, largest=20, smallest=10, lead=1.2)
    assert block.height <= 60
    assert block.lines[-1].endswith("…")


def test_characters_without_a_glyph_are_signs_and_accented_letters_are_not() -> None:
    assert is_sign("東")
    assert is_sign("🎷")
    assert not is_sign("é")


def test_cleaning_drops_what_cannot_be_seen() -> None:
    assert clean("\u0301\u0302 \u0301x") == "x"
    assert clean("a\u200bb \n\n c\ufe0f\x00") == "ab c"


def test_a_title_does_not_end_on_a_word_that_leads_on() -> None:
    copy = "small wooden boat drifting on the wide river under heavy summer clouds"
    title, body = split_copy(copy)
    assert title == "small wooden boat drifting"
    assert f"{title} {body}" == copy


def test_copy_of_signs_is_all_title() -> None:
    assert split_copy("月光下的灯塔" * 10) == ("月光下的灯塔" * 10, "")


def test_a_very_long_word_is_divided_with_a_hyphen() -> None:
    block = fit("x" * 40, 300, 200, largest=90, smallest=8, lead=1.0)
    assert block.lines == ("x" * 20 + "-", "x" * 20)
