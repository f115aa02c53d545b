"""What tests share, they do not share by accident."""

import pytest

from enterprises.models import Bureau
from tests import factories
from tests.worlds import OpenWorlds, maker_of, world

pytestmark = pytest.mark.any_database
built: list[str] = []


@world
def province() -> Bureau:
    built.append("province")
    return factories.bureau("320000", "江苏")


@world
def city(province: Bureau) -> Bureau:
    built.append("city")
    return factories.bureau("320500", "苏州", province)


def test_what_is_made_once_is_whole_and_unchanged_for_every_test(province: Bureau, city: Bureau) -> None:
    assert city.parent is province
    province.name = "changed"
    province.save()
    factories.bureau("320200", "无锡", province)


@pytest.mark.parametrize("_again", range(2))
def test_nothing_is_left_of_what_another_test_did(province: Bureau, city: Bureau, _again: int) -> None:
    assert province.name == Bureau.objects.get(pk=province.pk).name == "江苏"
    assert list(Bureau.objects.order_by("code")) == [province, city]
    city.delete()


def test_what_is_not_asked_for_is_not_there(province: Bureau) -> None:
    assert list(Bureau.objects.all()) == [province]


@pytest.mark.django_db
def test_who_asks_for_nothing_finds_nothing() -> None:
    assert not Bureau.objects.exists()


@pytest.mark.parametrize("_again", range(2))
@pytest.mark.django_db(transaction=True)
def test_for_who_commits_it_is_made_anew(city: Bureau, _again: int) -> None:
    assert Bureau.objects.get(code="320500").parent == city.parent


@pytest.mark.django_db
def test_it_is_made_when_it_was_not_there_and_not_again() -> None:
    both = [maker_of(province), maker_of(city)]
    built.clear()
    worlds = OpenWorlds()
    for wanted in (both, both, both[:1], both, []):
        worlds.change_to(wanted)
        assert Bureau.objects.count() == len(wanted)
    assert built == ["province", "city", "city"]
