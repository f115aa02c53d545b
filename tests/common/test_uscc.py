"""Credit codes against the vectors of `domain.md` 3.1, which were recomputed by hand."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from common import uscc


@pytest.mark.parametrize(
    "code",
    [
        "91110108551385082Q",
        "914403001922038216",
        "91440606722473344C",
        "91110000600037341L",
        "11500000MB1678200K",
        "91350100M000100Y43",
        # The weighted sum is a multiple of 31, so the check character is 0.
        "91330100MA00000740",
    ],
)
def test_a_right_code_passes(code):
    uscc.validate(code)
    assert uscc.check_character(code[:17]) == code[17]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("91350100M000100Y4Z", "characters"),
        ("91350100M000100Y44", "check"),
        ("91350100M000100Y4", "length"),
        ("91350100M000100Y433", "length"),
        ("9135010OM000100Y43", "characters"),
        ("95350100M000100Y43", "registrar"),
        ("B1350100M000100Y43", "registrar"),
        ("", "length"),
    ],
)
def test_a_wrong_code_is_refused_with_its_fault(code, fault):
    with pytest.raises(ValidationError) as refusal:
        uscc.validate(code)
    assert refusal.value.code == fault


@pytest.mark.parametrize("registrar", ["A1", "N2", "Y1"])
def test_registrars_with_a_letter_are_known(registrar):
    first17 = f"{registrar}110000MA0000001"
    uscc.validate(first17 + uscc.check_character(first17))


@pytest.mark.parametrize(
    "typed",
    [
        "91110108551385082q",
        " 91110108551385082Q\n",
        "９１１１０１０８５５１３８５０８２Ｑ",
        "9111 0108-5513 85082q",
    ],
)
def test_what_people_type_is_normalised(typed):
    assert uscc.normalise(typed) == "91110108551385082Q"


@given(
    st.text(alphabet=uscc.ALPHABET, min_size=9, max_size=9),
    st.integers(0, 16),
    st.sampled_from(uscc.ALPHABET),
)
def test_any_single_wrong_character_is_noticed(organisation, position, other):
    first17 = f"91320500{organisation}"
    right = first17 + uscc.check_character(first17)
    if right[position] != other:
        wrong = right[:position] + other + right[position + 1 :]
        with pytest.raises(ValidationError):
            uscc.validate(wrong)
