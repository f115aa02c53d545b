import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from common.verification import BULLETINS, REPORTS, check_character

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def code_of(payload: str) -> str:
    characters = payload + check_character(payload)
    return "-".join((BULLETINS.prefix, characters[:5], characters[5:10], characters[10:]))


payloads = st.text(ALPHABET, min_size=14, max_size=14).filter(lambda text: check_character(text) in ALPHABET)
codes = payloads.map(code_of)


def test_the_check_character_is_that_of_the_standard() -> None:
    # ISO/IEC 7064 MOD 37-2 as used by ISBT 128 donation numbers: "G123 498 654321" has the check character H.
    assert check_character("G123498654321") == "H"


def test_new_codes_have_the_printed_shape_and_never_repeat() -> None:
    made = {BULLETINS.new_code() for _ in range(500)}
    assert len(made) == 500
    for code in made:
        assert re.fullmatch(rf"ZLTB-[{ALPHABET}]{{5}}-[{ALPHABET}]{{5}}-[{ALPHABET}]{{5}}", code)
        assert BULLETINS.is_well_formed(code)
        assert BULLETINS.normalise(code) == code


def test_every_letter_of_a_code_carries_its_bits() -> None:
    seen = {
        (place, character) for _ in range(2000) for place, character in enumerate(BULLETINS.new_code()[5:])
    }
    assert all((0, character) in seen for character in ALPHABET)


@given(codes, st.integers(0, 14), st.sampled_from(ALPHABET))
def test_a_wrong_character_is_caught(code: str, place: int, character: str) -> None:
    characters = code[5:].replace("-", "")
    assume(characters[place] != character)
    assert not BULLETINS.is_well_formed(characters[:place] + character + characters[place + 1 :])


@given(codes, st.integers(0, 14), st.integers(0, 14))
def test_a_swap_of_two_characters_is_caught(code: str, one: int, other: int) -> None:
    characters = list(code[5:].replace("-", ""))
    assume(characters[one] != characters[other])
    characters[one], characters[other] = characters[other], characters[one]
    assert not BULLETINS.is_well_formed("".join(characters))


@given(codes, st.data())
def test_what_people_type_is_understood(code: str, data: st.DataObject) -> None:
    typed = data.draw(st.sampled_from([code, code.removeprefix(BULLETINS.prefix + "-")]))
    typed = "".join(data.draw(st.sampled_from(ways(character))) for character in typed)
    typed = (
        data.draw(st.sampled_from(["", " ", "　\n"])) + typed + data.draw(st.sampled_from(["", " ", "。"]))
    )
    assert BULLETINS.normalise(typed) == code
    assert BULLETINS.is_well_formed(typed)


def ways(character: str) -> list[str]:
    """How one character of a code may be typed."""
    if character == "-":
        return ["-", "", " ", "－", "—", "_"]
    full_width = chr(ord(character) + 0xFEE0)
    return [character, character.lower(), full_width, *{"0": "oO", "1": "iIlL"}.get(character, "")]


@given(st.text())
@example("ẖ")
def test_any_text_is_answered(text: str) -> None:
    assert BULLETINS.normalise(BULLETINS.normalise(text)) == BULLETINS.normalise(text)
    BULLETINS.is_well_formed(text)


@pytest.mark.parametrize(
    "text", ["", "ZLTB", "ZLTB-00000-00000-0000", "合格证第20240000000001号", "ZLTB-UUUUU-00000-00000"]
)
def test_other_texts_are_no_codes(text: str) -> None:
    assert not BULLETINS.is_well_formed(text)


@given(codes)
def test_the_prefix_says_the_kind_of_document(code: str) -> None:
    of_report = code.replace(BULLETINS.prefix, REPORTS.prefix)
    assert REPORTS.is_well_formed(of_report) and REPORTS.normalise(of_report.lower()) == of_report
    assert REPORTS.begins(of_report.replace("L", "1")) and not BULLETINS.begins(of_report)
    assert not BULLETINS.is_well_formed(of_report)
