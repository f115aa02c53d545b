"""The list of divisions and the bureau tree founded on it."""

from datetime import date
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db.models import Count

from enterprises.models import Bureau, Division
from enterprises.services import found_bureaus, load_divisions, short_name_of

pytestmark = pytest.mark.django_db

HEAD = "code,name,level,parent_code\n000000,全国,0,\n"


@pytest.fixture
def tree() -> None:
    load_divisions()
    found_bureaus()


def write(path: Path, text: str) -> Path:
    path.write_text(HEAD + text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "level", "short"),
    [
        ("江苏省", 1, "江苏"),
        ("北京市", 1, "北京"),
        ("内蒙古自治区", 1, "内蒙古"),
        ("广西壮族自治区", 1, "广西"),
        ("新疆维吾尔自治区", 1, "新疆"),
        ("西藏自治区", 1, "西藏"),
        ("苏州市", 2, "苏州"),
        ("恩施土家族苗族自治州", 2, "恩施"),
        ("巴音郭楞蒙古自治州", 2, "巴音郭楞"),
        ("锡林郭勒盟", 2, "锡林郭勒"),
        ("大兴安岭地区", 2, "大兴安岭"),
        ("沛县", 3, "沛县"),
    ],
)
def test_short_names(name: str, level: int, short: str) -> None:
    assert short_name_of(name, level) == short


def test_national_table_has_32_rows_with_the_corps_last(tree: None) -> None:
    rows = list(Bureau.objects.reporting_rows().values_list("code", "short_name"))
    assert len(rows) == 32
    assert rows[0] == ("110000", "北京市")
    assert rows[-1] == ("660000", "新疆生产建设兵团")


def test_every_division_is_served_by_exactly_one_bureau(tree: None) -> None:
    served = Division.objects.annotate(bureau_count=Count("bureaus"))
    assert not served.exclude(bureau_count=1).exists()


def test_cities_of_the_corps_report_to_the_corps_and_not_to_xinjiang(tree: None) -> None:
    xinjiang, corps = Bureau.objects.get(code="650000"), Bureau.objects.get(code="660000")
    shihezi = Bureau.objects.get(division__code="659001")
    assert shihezi.path == f"{corps.path}{shihezi.code}/"
    assert not Bureau.objects.within(xinjiang).filter(division__code__startswith="659").exists()
    assert Bureau.objects.within(corps).count() == 15


def test_municipalities_skip_the_city_level(tree: None) -> None:
    pudong = Bureau.objects.select_related("parent").get(code="310115")
    assert (pudong.level, pudong.parent.code) == (3, "310000")
    assert pudong.name == "上海市浦东新区市场监督管理局"


def test_paths_and_levels_follow_the_reporting_line(tree: None) -> None:
    for bureau in Bureau.objects.exclude(level=0).select_related("parent"):
        assert bureau.path == f"{bureau.parent.path}{bureau.code}/"
        assert bureau.parent.level < bureau.level


def test_names_and_flags(tree: None) -> None:
    names = dict(Bureau.objects.values_list("code", "name"))
    assert names["000000"] == "国家市场监督管理总局"
    assert names["120000"] == "天津市市场监督管理委员会"
    assert names["320500"] == "苏州市市场监督管理局"
    assert names["320505"] == "苏州市虎丘区市场监督管理局"
    assert names["320576"] == "苏州工业园区市场监督管理局"
    planned = Bureau.objects.filter(is_separately_planned=True).values_list("code", flat=True)
    assert list(planned) == ["210200", "330200", "350200", "370200", "440300"]


def test_loading_twice_changes_nothing(tree: None) -> None:
    again = load_divisions()
    assert (again.added, again.renamed, again.ended) == (0, 0, 0)
    assert found_bureaus() == 0


def test_a_later_list_ends_codes_and_adds_others(tmp_path: Path) -> None:
    load_divisions(
        write(tmp_path / "old.csv", "320000,江苏省,1,000000\n320582,甲县,3,320000\n"), date(2023, 12, 31)
    )
    loaded = load_divisions(
        write(tmp_path / "new.csv", "320000,江苏省,1,000000\n320513,甲区,3,320000\n"), date(2024, 12, 31)
    )
    assert (loaded.added, loaded.ended, loaded.unchanged) == (1, 1, 2)
    assert Division.objects.get(code="320582").valid_to == date(2024, 12, 31)
    found_bureaus()
    assert not Bureau.objects.filter(code="320582").exists()
    with pytest.raises(ValidationError, match="320582"):
        load_divisions(
            write(tmp_path / "back.csv", "320000,江苏省,1,000000\n320582,甲县,3,320000\n"), date(2025, 12, 31)
        )


def test_taiwan_hong_kong_and_macao_take_no_part(tmp_path: Path) -> None:
    load_divisions(write(tmp_path / "list.csv", "810000,香港特别行政区,1,000000\n810001,中西区,3,810000\n"))
    found_bureaus()
    assert not Bureau.objects.filter(code__startswith="81").exists()


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("32000,江苏省,1,000000\n", "32000"),
        ("320000,江苏省,1,000000\n320000,江苏省,1,000000\n", "320000"),
        ("320500,苏州市,2,320000\n", "320500"),
        ("320000,江苏省,7,000000\n", "320000"),
        ("320000,江苏省,1,000000\n330000,浙江省,1,320000\n", "330000"),
    ],
)
def test_a_faulty_list_is_refused_whole(tmp_path: Path, lines: str, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        load_divisions(write(tmp_path / "list.csv", lines))
    assert not Division.objects.exists()


def test_the_command_asks_for_the_day_of_a_foreign_list(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", "320000,江苏省,1,000000\n")
    with pytest.raises(CommandError, match="--valid-from"):
        call_command("load_divisions", str(path))
    call_command("load_divisions", str(path), "--valid-from", "2024-12-31")
    assert Bureau.objects.get(code="320000").parent.code == "000000"
