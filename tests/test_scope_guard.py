"""Whoever forgets the scope fails loudly: rows of a scoped model are read by right, or under a named job."""

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import Count, Manager
from django.test import RequestFactory

from accounts.models import Grant, Role
from common.scope import Scoped, Unscoped, current_job, guarding, system_job
from enterprises.models import Organization
from projects.models import Attachment, Bottleneck, ChainProject, Participation
from tests import factories
from tests.guard import ScopeGuard

pytestmark = pytest.mark.django_db

READS = {
    "list": list,
    "count": lambda rows: rows.count(),
    "exists": lambda rows: rows.exists(),
    "first": lambda rows: rows.first(),
    "get": lambda rows: rows.get(pk=1),
    "in_bulk": lambda rows: rows.in_bulk([1]),
    "iterator": lambda rows: list(rows.iterator()),
    "aggregate": lambda rows: rows.aggregate(n=Count("pk")),
    "values": lambda rows: list(rows.values_list("pk", flat=True)),
    "slice": lambda rows: rows[0:5][0:1].count(),
    "update": lambda rows: rows.update(is_test=True),
    "delete": lambda rows: rows.delete(),
    "earliest": lambda rows: rows.earliest("pk"),
    "or": lambda rows: list(rows.judged("one side") | rows),
    "and": lambda rows: list(rows & rows),
    "union": lambda rows: list(rows.union(rows)),
}


@pytest.fixture
def officer():
    return factories.user(Role.OFFICER, factories.county())


@pytest.mark.parametrize("read", READS)
def test_without_a_scope_no_way_of_reading_passes(read):
    factories.project()
    with guarding(), pytest.raises(Unscoped, match="ChainProject was read without a scope"):
        READS[read](ChainProject.objects.filter(is_test=False))


@pytest.mark.parametrize("read", ["list", "count", "exists", "first", "iterator", "aggregate", "values"])
def test_a_right_opens_every_way_of_reading(read, officer):
    with guarding():
        READS[read](ChainProject.objects.visible_to(officer).filter(is_test=False))
        READS[read](ChainProject.objects.judged("this test"))


def test_a_named_job_reads_every_row_and_is_over_with_its_block():
    @system_job("count")
    def count():
        assert current_job() == "count"
        return ChainProject.objects.count()

    with guarding():
        assert count() == 0
        with system_job("look"):
            list(ChainProject.objects.all())
        assert current_job() == ""
        with pytest.raises(Unscoped):
            list(ChainProject.objects.all())


def test_parts_are_read_from_the_whole_and_not_from_elsewhere(officer):
    cast = factories.Cast()
    row = cast.filed()
    project = factories.project()
    factories.participation(cast.firm, project)
    with guarding():
        assert row.measures.count() == 1 and list(row.transitions.all())
        assert project.participations.exists()
        found = Bottleneck.objects.visible_to(officer).prefetch_related("measures")
        assert [len(one.measures.all()) for one in found] == [1]
        for rows in (cast.firm.participations.all(), cast.firm.bottlenecks.all(), Attachment.objects.all()):
            with pytest.raises(Unscoped):
                list(rows)
        assert officer.grants.count() == 1
        with pytest.raises(Unscoped):
            list(cast.county.grants.all())


def test_nothing_is_asked_without_the_guard_and_of_no_rows():
    assert list(ChainProject.objects.all()) == []
    with guarding():
        assert list(ChainProject.objects.none()) == []


@pytest.mark.parametrize("model", [Organization, ChainProject, Participation, Bottleneck, Grant])
def test_requests_of_the_tests_run_under_the_guard(model):
    assert settings.MIDDLEWARE[0] == "tests.guard.ScopeGuard"
    with pytest.raises(Unscoped):
        ScopeGuard(lambda _request: list(model.objects.all()))(RequestFactory().get("/"))


def test_every_model_with_a_scope_is_guarded():
    """Whatever has ``visible_to`` remembers it."""
    scoped = [
        model
        for model in apps.get_models()
        if isinstance(model._default_manager, Manager) and hasattr(model._default_manager, "visible_to")
    ]
    assert Bottleneck in scoped and Attachment in scoped
    loose = [model.__name__ for model in scoped if not isinstance(model._default_manager.all(), Scoped)]
    assert loose == []
