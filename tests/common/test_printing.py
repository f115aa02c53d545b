"""The rules for printing figures, with values counted by hand (`domain.md` 5.6)."""

from decimal import Decimal

import pytest

from common import printing
from common.printing import Rank, ranks, shares


@pytest.mark.parametrize(
    ("value", "places", "printed"),
    [("0.5", 0, "1"), ("2.5", 0, "3"), ("-2.5", 0, "-3"), ("1.005", 2, "1.01"), ("-0.04", 1, "0.0")],
)
def test_halves_are_rounded_up_in_decimal(value: str, places: int, printed: str) -> None:
    assert str(printing.half_up(Decimal(value), places)) == printed


def test_the_published_split_of_468_reference_materials_adds_to_100() -> None:
    # Plain rounding gives 13.2 for the third and 99.9 in all.
    parts = [211, 112, 62, 40, 32, 11]
    assert [str(share) for share in shares(parts)] == ["45.1", "23.9", "13.3", "8.5", "6.8", "2.4"]


@pytest.mark.parametrize(
    ("parts", "printed"),
    [
        ([1, 1, 1], ["33.4", "33.3", "33.3"]),
        ([1, 1, 1, 1, 1, 1], ["16.7", "16.7", "16.7", "16.7", "16.6", "16.6"]),
        ([0, 7], ["0.0", "100.0"]),
        ([0, 0], ["0", "0"]),
        ([], []),
    ],
)
def test_shares_add_to_100_and_of_equal_remainders_the_first_is_rounded_up(
    parts: list[int], printed: list[str]
) -> None:
    assert [str(share) for share in shares(parts)] == printed
    assert sum(shares(parts)) == (100 if any(parts) else 0)


def test_equal_figures_share_a_place_and_the_next_places_are_left_out() -> None:
    assert [str(rank) for rank in ranks([9, None, 9, 4, 12, 0])] == ["并列2", "—", "并列2", "4", "1", "5"]


def test_a_ratio_to_too_little_has_no_place_and_pushes_nobody_down() -> None:
    rates = [Decimal(100), Decimal(50), Decimal(50), None]
    assert ranks(rates, [4, 5, 10, 0], least=5) == [Rank(None), Rank(1, True), Rank(1, True), Rank(None)]
    # A count has no denominator.
    assert ranks([3, 2], [None, None], least=5) == [Rank(1), Rank(2)]


@pytest.mark.parametrize(
    ("this", "last", "direction", "text"),
    [
        (952, 713, "up", "比上年增长 33.5%"),
        (14391, 15022, "down", "比上年下降 4.2%"),
        (0, 3, "down", "比上年下降 100.0%"),
        (199, 100, "up", "比上年增长 99.0%"),
        # Doubled is once more.
        (200, 100, "up", "比上年增长 1 倍"),
        (103, 10, "up", "比上年增长 9.3 倍"),
        (5, 5, "flat", "与上年持平"),
        (3176, 0, "none", "上年同期为零"),
        (0, 0, "none", "上年同期为零"),
        (7, None, "none", "无上年同期数"),
        (None, 7, "none", "无上年同期数"),
        (Decimal("12.5"), 10, "up", "比上年增长 25.0%"),
    ],
)
def test_change_against_the_year_before(
    this: int | None, last: int | None, direction: str, text: str
) -> None:
    assert printing.change(this, last) == printing.Change(direction, text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("this", "last", "text"),
    [
        (Decimal("62.5"), Decimal("59.25"), "比上年提高 3.3 个百分点"),
        (Decimal(40), Decimal(50), "比上年降低 10.0 个百分点"),
        (Decimal(5), Decimal(0), "比上年提高 5.0 个百分点"),
        (Decimal(0), Decimal(0), "与上年持平"),
        (Decimal(5), None, "无上年同期数"),
    ],
)
def test_percentages_differ_by_points_and_not_by_per_cent(
    this: Decimal, last: Decimal | None, text: str
) -> None:
    assert printing.change(this, last, points=True).text == text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (180_000, "18万"),
        (180_001, "180,001"),
        (99_999, "99,999"),
        (90_000, "90,000"),
        (12_340_000, "1,234万"),
    ],
)
def test_running_text_says_ten_thousands_only_of_large_exact_ones(value: int, words: str) -> None:
    assert printing.prose(value) == words
