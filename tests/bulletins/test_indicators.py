"""The catalogue declares what `domain.md` 5.4 asks for, and the printed dictionary follows it."""

from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.utils.translation import override

from bulletins import dictionary
from bulletins.indicators import BASES, CATALOGUE, HEADLINES, Kind
from bulletins.models import CountedRow, StatValue


def test_i01_to_i25_are_declared_once_each() -> None:
    assert [code for code in CATALOGUE if code[3:] == ""] == [f"I{number:02}" for number in range(1, 26)]


def test_every_entry_says_everything() -> None:
    for code, indicator in CATALOGUE.items():
        assert indicator.code == code
        for words in (
            indicator.name,
            indicator.unit,
            indicator.counted,
            indicator.key,
            indicator.time_rule,
            indicator.place_rule,
        ):
            assert str(words), code
        assert set(indicator.all_bases) <= set(BASES), code
        assert (indicator.kind == Kind.RATIO) == bool(indicator.over), code
        assert len({BASES[base].entity for base in indicator.bases}) == 1, code


def test_every_base_is_used() -> None:
    assert {base for indicator in CATALOGUE.values() for base in indicator.all_bases} == set(BASES)


def test_names_fit_the_tables() -> None:
    longest = StatValue._meta.get_field("indicator").max_length
    assert longest is not None
    assert max(map(len, CATALOGUE)) <= longest
    longest = CountedRow._meta.get_field("base").max_length
    assert longest is not None
    assert max(map(len, BASES)) <= longest


def test_the_seven_figures_stand_in_the_published_order() -> None:
    assert HEADLINES == ("I01", "I03", "I05", "I07", "I09", "I10", "I15")


def test_names_are_chinese_by_default() -> None:
    with override("zh-hans"):
        assert str(CATALOGUE["I15"].name) == "解决质量堵点卡点问题"


def test_the_dictionary_in_the_docs_is_current(tmp_path: Path) -> None:
    call_command("indicators", "--output", str(tmp_path / "indicators.md"))
    written = (tmp_path / "indicators.md").read_text(encoding="utf-8")
    assert written == dictionary.text()
    assert (settings.BASE_DIR / "docs" / "indicators.md").read_text(encoding="utf-8") == written
