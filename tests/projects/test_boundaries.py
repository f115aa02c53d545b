"""Bureaus merge, split, move and are renamed: what follows to the successor, what stays as history."""

import threading
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.joining import proposed_bureau
from accounts.models import Grant, Notice, Registration, Role, User
from accounts.notices import page, sentence
from common import formats
from common.scope import system_job
from enterprises.models import BoundaryChange, Bureau, Division, Organization
from enterprises.standing import InForce, followed
from projects import boundaries, instruments, workflow
from projects.models import Bottleneck, PolicyInstrument, ProjectRegion, Transition
from record.models import Event
from tests import factories
from tests.boundaries import founded, merged, part, planned
from tests.bulletins.ledger import Tree, problem, project
from tests.pages import browser, text_of

pytestmark = pytest.mark.django_db
Kind = BoundaryChange.Kind
S = Bottleneck.Status
TODAY = timezone.localdate


@pytest.fixture
def tree() -> Tree:
    return Tree()


def fresh(row: Any) -> Any:
    return type(row)._base_manager.get(pk=row.pk)


# --- Every column that names a bureau -----------------------------------------------------------------------


def test_every_column_that_names_a_bureau_says_what_becomes_of_it() -> None:
    named = {
        f"{relation.related_model._meta.label}.{relation.field.name}"
        for relation in Bureau._meta.get_fields(include_hidden=True)
        if relation.auto_created and not relation.concrete and not relation.many_to_many
    }
    assert named == set(boundaries.BUREAUS)


# --- Merging ------------------------------------------------------------------------------------------------


def test_what_is_of_now_follows_to_the_successor_and_history_stays(tree: Tree) -> None:
    firm = factories.organization(at=tree.huqiu)
    row = problem(tree.huqiu, (S.SUBMITTED, date(2026, 3, 1)), organization=firm)
    begun = project(tree.wujiang)
    merged(tree.huqiu, tree.wujiang)
    new = Bureau.objects.get(code="320599")
    assert fresh(firm).bureau == new
    assert (fresh(row).bureau, fresh(row).handler) == (new, new)
    assert fresh(begun).bureau == new
    first, last = Transition.objects.judged("test").filter(bottleneck=row).order_by("sequence")
    assert (first.handler, last.handler, last.move) == (tree.huqiu, new, "boundary")
    assert (last.source, last.target) == (S.SUBMITTED, S.SUBMITTED)


def test_a_merged_bureau_stays_below_its_successor_and_stands_in_no_list_of_now(tree: Tree) -> None:
    merged(tree.huqiu, tree.wujiang, on=TODAY())
    new, old = Bureau.objects.get(code="320599"), fresh(tree.huqiu)
    assert (new.parent, new.level, new.valid_from) == (tree.suzhou, 3, TODAY())
    assert (old.parent, old.valid_to, old.heir) == (new, TODAY(), new)
    assert old.path == f"{new.path}320505/"
    assert list(Bureau.objects.in_force().within(tree.suzhou)) == [tree.suzhou, new]


def test_a_bureau_takes_another_in_and_keeps_its_code(tree: Tree) -> None:
    firm = factories.organization(at=tree.wujiang)
    merged(tree.wujiang, into=part("to", tree.huqiu))
    assert fresh(firm).bureau == tree.huqiu
    assert fresh(tree.wujiang).heir == tree.huqiu
    assert fresh(tree.huqiu).valid_to is None


def test_units_below_merged_cities_report_to_the_successor(tree: Tree) -> None:
    merged(tree.suzhou, tree.wuxi, into=founded("320900", "苏锡市"))
    new = Bureau.objects.get(code="320900")
    below = Bureau.objects.in_force().filter(parent=new)
    assert set(below) == {tree.huqiu, tree.wujiang, tree.binhu}
    assert fresh(tree.huqiu).path == "000000/320000/320900/320505/"


def test_every_row_that_follows_has_its_event(tree: Tree) -> None:
    firm = factories.organization(at=tree.huqiu)
    merged(tree.huqiu, tree.wujiang)
    new = Bureau.objects.get(code="320599")
    rows = Event.objects.judged("test").filter(entity="enterprises.organization", row=str(firm.pk))
    event = rows.get(kind="changed")
    assert (event.before, event.after, event.path) == (
        {"bureau": tree.huqiu.pk},
        {"bureau": new.pk},
        new.path,
    )


def test_a_region_that_takes_part_already_stands_once(tree: Tree) -> None:
    row = project(tree.binhu, regions=(tree.huqiu, tree.wujiang))
    merged(tree.huqiu, tree.wujiang)
    new = Bureau.objects.get(code="320599")
    assert ProjectRegion.objects.filter(project=row, bureau=new).count() == 1


def test_an_ended_problem_gets_no_further_step(tree: Tree) -> None:
    row = problem(tree.huqiu, (S.SUBMITTED, date(2026, 3, 1)), (S.WITHDRAWN, date(2026, 3, 2)))
    merged(tree.huqiu, tree.wujiang)
    assert not Transition.objects.judged("test").filter(bottleneck=row, move="boundary").exists()


# --- Nothing of now names a bureau that has ended -----------------------------------------------------------

# Whose like stands at the successor already stays behind.
OF_NOW = sorted(
    label for label, column in boundaries.BUREAUS.items() if column.how == "follows" and not column.alone
)


def naming(label: str, bureau: Bureau) -> Any:
    """A row of now whose column names the bureau; not stored."""
    model, name = label.rsplit(".", 1)
    at = factories.bureau("320506", "吴中区", bureau.parent)
    rows: dict[str, Callable[[], Any]] = {
        "enterprises.IndustryChain": lambda: factories.chain("C09", bureau=at),
        "enterprises.Organization": lambda: factories.organization(at=at),
        "accounts.Registration": lambda: Registration.objects.create(
            user=factories.user(),
            organization=factories.organization(at=at),
            bureau=at,
            name="企业",
            phone="1",
            key=uuid.uuid4(),
        ),
        "projects.ChainProject": lambda: project(at),
        "projects.Participation": lambda: factories.participation(factories.organization(at=at), project(at)),
        "projects.Bottleneck": lambda: problem(at, (S.SUBMITTED, date(2026, 3, 1))),
        "projects.Consortium": lambda: factories.consortium(factories.organization(at=at)),
        "projects.SpecDemand": lambda: factories.spec_demand(bureau=at),
    }
    row = rows[model]()
    setattr(row, name, bureau)
    return row


@pytest.mark.parametrize("label", OF_NOW)
def test_no_row_of_now_comes_to_a_bureau_that_has_ended(tree: Tree, label: str) -> None:
    row = naming(label, tree.wujiang)
    # The very same is stored while the bureau exists.
    row.save()
    connection.check_constraints()
    merged(tree.wujiang, into=part("to", tree.huqiu))
    connection.check_constraints()
    row = fresh(row)
    assert getattr(row, label.rsplit(".", maxsplit=1)[-1]) == tree.huqiu
    setattr(row, label.rsplit(".", maxsplit=1)[-1], tree.wujiang)
    with pytest.raises(ValidationError, match="“吴江区”已撤销，现由“虎丘区”办理"):
        row.validate_constraints()
    row.save()
    with pytest.raises(IntegrityError):
        connection.check_constraints()
    transaction.set_rollback(True)


def test_no_bureau_ends_that_a_row_of_now_names(tree: Tree) -> None:
    factories.organization(at=tree.huqiu)
    tree.huqiu.valid_to = TODAY()
    tree.huqiu.save()
    with pytest.raises(IntegrityError):
        connection.check_constraints()
    transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_what_somebody_stores_for_a_bureau_while_it_ends_comes_in_time_or_not_at_all() -> None:
    tree = Tree()
    change = planned(Kind.MERGE, part("from", tree.huqiu), part("to", tree.wujiang))
    answers, ready, go_on = [], threading.Event(), threading.Event()

    def store() -> None:
        try:
            with transaction.atomic():
                factories.organization("晚到的企业", at=tree.huqiu)
                ready.set()
                # SQLite has one writer at a time.
                go_on.wait(0.5 if connection.vendor == "sqlite" else 5)
            answers.append("stored")
        except IntegrityError:
            answers.append("refused")
        finally:
            connection.close()

    thread = threading.Thread(target=store)
    thread.start()
    ready.wait()
    done = boundaries.carry_out(change)
    go_on.set()
    thread.join()
    late = Organization.objects.judged("test").filter(name="晚到的企业")
    assert done.state == "done"
    assert answers == ["refused" if connection.vendor == "postgresql" else "stored"]
    assert [firm.bureau for firm in late] == ([] if answers == ["refused"] else [tree.wujiang])


LEFT_BEHIND = ["projects.PolicyInstrument.bureau", "projects.ProjectRegion.bureau"]


def test_every_column_that_follows_is_held_by_the_database_or_left_behind() -> None:
    held = {
        f"{model._meta.label}.{rule.field}"
        for model in apps.get_models()
        for rule in model._meta.constraints
        if isinstance(rule, InForce)
    }
    follow = {label for label, column in boundaries.BUREAUS.items() if column.how == "follows"}
    assert sorted(follow - held) == LEFT_BEHIND and held <= follow


def policy(bureau: Bureau) -> PolicyInstrument:
    """As a form has read it; not stored."""
    return PolicyInstrument(
        title="质量贷款",
        kind=PolicyInstrument.Kind.LOAN,
        department="市场监管局",
        target="产业链上的企业",
        valid_from=TODAY(),
        bureau=bureau,
    )


def test_a_policy_comes_to_no_bureau_that_ended_since_it_was_typed(tree: Tree) -> None:
    officer = factories.user(Role.OFFICER, tree.huqiu)
    typed, read = policy(tree.huqiu), instruments.keep(policy(tree.huqiu), [], by=officer)
    typed.title = "另一项贷款"
    merged(tree.huqiu, into=part("to", tree.wujiang))
    for row in (typed, read):
        with pytest.raises(ValidationError, match="“虎丘区”已撤销，现由“吴江区”办理"):
            instruments.keep(row, [], by=officer)
    (row,) = PolicyInstrument.objects.judged("test")
    assert (row.pk, row.bureau) == (read.pk, tree.wujiang)


@pytest.mark.django_db(transaction=True)
def test_a_bureau_does_not_end_while_a_policy_is_stored_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree()
    officer = factories.user(Role.OFFICER, tree.huqiu)
    change = planned(Kind.MERGE, part("from", tree.huqiu), part("to", tree.wujiang))
    ready, ended, check = threading.Event(), threading.Event(), PolicyInstrument.full_clean

    def slowly(row: PolicyInstrument) -> None:
        ready.set()
        ended.wait(0.5)
        check(row)

    def store() -> None:
        try:
            instruments.keep(policy(tree.huqiu), [], by=officer)
        finally:
            connection.close()

    monkeypatch.setattr(PolicyInstrument, "full_clean", slowly)
    thread = threading.Thread(target=store)
    thread.start()
    ready.wait(5)
    boundaries.carry_out(change)
    ended.set()
    thread.join()
    (row,) = PolicyInstrument.objects.judged("test")
    assert row.bureau == tree.wujiang


@pytest.mark.parametrize("label", LEFT_BEHIND)
def test_the_admin_site_brings_no_row_to_an_ended_bureau_and_leaves_there_what_stayed(
    tree: Tree, label: str
) -> None:
    begun = project(tree.binhu)
    if label == "projects.ProjectRegion.bureau":
        row: Any = ProjectRegion.objects.create(project=begun, bureau=tree.huqiu)
        values = {"project": begun.pk}
    else:
        row = factories.instrument(tree.huqiu)
        names = ("title", "kind", "department", "target", "valid_from")
        values = {name: getattr(row, name) for name in names}
    values["bureau"] = tree.huqiu.pk
    page = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    client = browser(factories.user(is_superuser=True))
    assert client.post(reverse(f"{page}_change", args=[row.pk]), values).status_code == 302
    merged(tree.huqiu, into=part("to", tree.wujiang))
    for address in (reverse(f"{page}_change", args=[row.pk]), reverse(f"{page}_add")):
        answer = client.post(address, values)
        assert "“虎丘区”已撤销，现由“吴江区”办理" in text_of(answer)
    assert [it.bureau for it in type(row)._base_manager.all()] == [tree.wujiang]
    type(row)._base_manager.update(bureau=tree.huqiu)  # as where the successor has the like
    assert client.post(reverse(f"{page}_change", args=[row.pk]), values).status_code == 302


def test_a_project_takes_no_ended_region_in_and_keeps_one_that_stayed_behind(tree: Tree) -> None:
    row = project(tree.binhu, regions=(tree.huqiu, tree.wujiang))
    merged(tree.huqiu, into=part("to", tree.wujiang))
    client = browser(factories.user(is_superuser=True))
    address = reverse("admin:projects_chainproject_change", args=[row.pk])
    fields = client.get(address).context["adminform"].form.initial
    data = {name: value for name, value in fields.items() if value is not None}
    data |= {"goals-TOTAL_FORMS": 0, "goals-INITIAL_FORMS": 0, "summary": "改了摘要"}
    data |= {"region_links-TOTAL_FORMS": 3, "region_links-INITIAL_FORMS": 2}
    for place, link in enumerate(row.region_links.all()):
        data |= {f"region_links-{place}-id": link.pk, f"region_links-{place}-bureau": link.bureau_id}
    added = {"region_links-2-bureau": tree.wuxi.pk}
    merged(tree.wuxi, into=part("to", tree.suzhou))
    assert "“无锡市”已撤销，现由“苏州市”办理" in text_of(client.post(address, data | added))
    assert client.post(address, data).status_code == 302
    assert (fresh(row).summary, row.region_links.count()) == ("改了摘要", 2)


def test_an_upgrade_lets_rows_of_ended_bureaus_follow_before_it_forbids_them(tree: Tree) -> None:
    firm = factories.organization(at=tree.huqiu)
    merged(tree.huqiu, into=part("to", tree.wujiang))
    merged(tree.wujiang, into=founded())
    Organization.objects.judged("test").filter(pk=firm.pk).update(bureau=tree.huqiu)
    with connection.schema_editor() if connection.vendor == "postgresql" else nullcontext() as editor:
        followed("enterprises.Organization", "bureau").code(apps, editor or Mock(connection=connection))
    assert fresh(firm).bureau.code == "320599"
    connection.check_constraints()


# --- Splitting ----------------------------------------------------------------------------------------------


def split_in_two(tree: Tree, **fields: Any) -> BoundaryChange:
    north, south = founded("320598", "北区", takes=["320581"]), founded("320599", "南区", takes=["320582"])
    return planned(Kind.SPLIT, part("from", tree.huqiu, **fields), north, south)


@pytest.fixture
def divisions() -> list[Division]:
    return [
        Division.objects.create(code=code, name=code, short_name=code, level=3, valid_from=date(2020, 1, 1))
        for code in ("320581", "320582")
    ]


def test_rows_of_a_split_bureau_go_by_the_division_of_their_firm(tree: Tree, divisions: Any) -> None:
    north = factories.organization(at=tree.huqiu, operating_division=divisions[0])
    south = factories.organization(at=tree.huqiu, registered_division=divisions[1])
    row = problem(tree.huqiu, (S.SUBMITTED, date(2026, 3, 1)), organization=south)
    boundaries.carry_out(split_in_two(tree))
    assert fresh(north).bureau.code == "320598"
    assert fresh(south).bureau.code == fresh(row).handler.code == "320599"


def test_what_nothing_tells_stays_with_the_first_successor_and_is_listed(tree: Tree, divisions: Any) -> None:
    unknown = factories.organization("不知在哪的企业", at=tree.huqiu)
    problem(tree.huqiu, (S.SUBMITTED, date(2026, 3, 1)), organization=unknown)
    change = split_in_two(tree)
    lines = {str(line.label): line for line in boundaries.Preview(change, change.planned_by).lines}
    assert (lines["组织"].left, lines["组织"].named) == (1, ("不知在哪的企业",))
    done = boundaries.carry_out(change)
    assert fresh(unknown).bureau.code == "320598"
    assert done.moved["enterprises.organization"] == [1, 1]
    # A row is counted once, however many of its columns follow.
    assert done.moved["projects.bottleneck"] == [1, 1]


def test_drafts_of_firms_are_counted_for_the_planner_and_not_named(tree: Tree, divisions: Any) -> None:
    firm = factories.organization(at=tree.huqiu)
    factories.draft(factories.user(Role.FILER, firm), title="秘密草稿")
    problem(tree.huqiu, (S.SUBMITTED, date(2026, 3, 1)), organization=firm, title="已报送的问题")
    change = split_in_two(tree)
    for by in (factories.user(Role.ADMINISTRATOR, tree.suzhou), change.planned_by):
        (line,) = [one for one in boundaries.Preview(change, by).lines if one.label == "堵点卡点问题"]
        assert (line.rows, line.left) == (2, 2)
        assert line.named == ("已报送的问题",)


def test_whether_a_code_exists_is_told_of_rows_of_the_source_alone(tree: Tree, divisions: Any) -> None:
    own, other = factories.organization(at=tree.huqiu), factories.organization(at=tree.binhu)
    elsewhere = [other.uscc, project(tree.binhu).code, tree.binhu.code, "ZLQL-0"]
    halves = founded("320598", "北区", takes=[own.uscc, tree.huqiu.code]), founded(takes=elsewhere)
    with pytest.raises(ValidationError) as refused:
        planned(Kind.SPLIT, part("from", tree.huqiu), *halves)
    (said,) = refused.value.messages
    assert all(code in said for code in elsewhere)
    assert own.uscc not in said and tree.huqiu.code not in said


def test_a_firm_that_left_before_the_day_does_not_hinder_a_split(tree: Tree) -> None:
    firm = factories.organization(at=tree.huqiu)
    part_of_it = founded(takes=[firm.uscc])
    change = planned(Kind.SPLIT, part("from", tree.huqiu, stays=True), part_of_it)
    firm.bureau = tree.wujiang
    firm.save()
    assert boundaries.carry_out(change).state == "done"
    assert fresh(firm).bureau == tree.wujiang


def test_a_bureau_of_which_a_part_is_taken_stays_with_the_rest(tree: Tree, divisions: Any) -> None:
    gone = factories.organization(at=tree.huqiu, operating_division=divisions[0])
    rest = factories.organization(at=tree.huqiu)
    officer = factories.user(Role.OFFICER, tree.huqiu)
    boundaries.carry_out(planned(Kind.SPLIT, part("from", tree.huqiu, stays=True), founded(takes=["320581"])))
    assert (fresh(gone).bureau.code, fresh(rest).bureau) == ("320599", tree.huqiu)
    assert fresh(tree.huqiu).valid_to is None
    assert officer.grants_of(Role.OFFICER)[0].bureau == tree.huqiu


# --- Moving and renaming ------------------------------------------------------------------------------------


def test_who_sees_a_bureau_follows_when_it_moves(tree: Tree) -> None:
    old, new = factories.user(Role.OFFICER, tree.suzhou), factories.user(Role.OFFICER, tree.wuxi)
    firm = factories.organization(at=tree.huqiu)
    boundaries.carry_out(planned(Kind.MOVE, part("from", tree.huqiu), part("to", tree.wuxi)))
    assert not Organization.objects.visible_to(fresh(old)).filter(pk=firm.pk).exists()
    assert Organization.objects.visible_to(fresh(new)).filter(pk=firm.pk).exists()


def test_what_the_former_city_has_of_a_county_goes_to_the_new_one(tree: Tree) -> None:
    at = date(2026, 3, 1)
    row = problem(tree.huqiu, (S.SUBMITTED, at), (S.ACCEPTED, at), handlers={S.ACCEPTED: tree.suzhou})
    late = problem(tree.huqiu, (S.SUBMITTED, at), escalated_to=tree.suzhou)
    above = problem(tree.huqiu, (S.SUBMITTED, at), (S.ACCEPTED, at), handlers={S.ACCEPTED: tree.jiangsu})
    # May be reopened by its firm.
    solved = problem(tree.huqiu, (S.SUBMITTED, at), (S.RESOLVED, at), handlers={S.RESOLVED: tree.suzhou})
    other = problem(tree.wujiang, (S.SUBMITTED, at), (S.ACCEPTED, at), handlers={S.ACCEPTED: tree.suzhou})
    change = planned(Kind.MOVE, part("from", tree.huqiu), part("to", tree.wuxi))
    assert [(str(line.label), line.rows) for line in boundaries.Preview(change, change.planned_by).lines] == [
        ("堵点卡点问题", 3)
    ]
    done = boundaries.carry_out(change)
    assert done.moved == {"projects.bottleneck": [3, 0]}
    assert [fresh(one).handler for one in (row, late, above, solved, other)] == [
        tree.wuxi,
        tree.huqiu,
        tree.jiangsu,
        tree.wuxi,
        tree.suzhou,
    ]
    assert fresh(late).escalated_to == tree.wuxi
    steps = Transition.objects.judged("test").filter(move="boundary")
    assert [(step.bottleneck, step.handler, step.target) for step in steps] == [(row, tree.wuxi, S.ACCEPTED)]
    assert workflow.reviewer_below(fresh(row)) is None


def test_a_city_that_moves_leaves_nothing_with_its_former_province(tree: Tree) -> None:
    at = date(2026, 3, 1)
    row = problem(
        tree.huqiu,
        (S.SUBMITTED, at),
        (S.ACCEPTED, at),
        handlers={S.ACCEPTED: tree.jiangsu},
        escalated_to=tree.nation,
    )
    boundaries.carry_out(planned(Kind.MOVE, part("from", tree.suzhou), part("to", tree.liaoning)))
    assert (fresh(row).handler, fresh(row).escalated_to) == (tree.liaoning, tree.nation)


def test_a_county_right_below_a_province_has_its_problems_decided_there(tree: Tree) -> None:
    at = date(2026, 3, 1)
    row = problem(tree.huqiu, (S.SUBMITTED, at), (S.ACCEPTED, at), handlers={S.ACCEPTED: tree.suzhou})
    boundaries.carry_out(planned(Kind.MOVE, part("from", tree.huqiu), part("to", tree.jiangsu)))
    assert fresh(row).handler == tree.jiangsu


def test_what_the_city_of_a_merged_county_has_of_it_goes_to_the_city_of_its_successor(tree: Tree) -> None:
    at = date(2026, 3, 1)
    row, other = (
        problem(unit, (S.SUBMITTED, at), (S.ACCEPTED, at), handlers={S.ACCEPTED: tree.suzhou})
        for unit in (tree.huqiu, tree.wujiang)
    )
    merged(tree.huqiu, into=part("to", tree.binhu))
    assert (fresh(row).bureau, fresh(row).handler) == (tree.binhu, tree.wuxi)
    assert fresh(other).handler == tree.suzhou


def test_a_renamed_bureau_keeps_code_and_rows_and_the_change_knows_its_old_name(tree: Tree) -> None:
    firm = factories.organization(at=tree.huqiu)
    new = {"name": "高新区市场监督管理局", "short_name": "高新区"}
    change = boundaries.carry_out(planned(Kind.RENAME, part("from", tree.huqiu, **new)))
    assert (fresh(tree.huqiu).name, fresh(tree.huqiu).code) == (new["name"], "320505")
    assert fresh(firm).bureau == tree.huqiu
    assert change.parts.get().was["short_name"] == "虎丘区"
    assert boundaries.in_words(change).endswith("虎丘区更名为高新区")


# --- Roles --------------------------------------------------------------------------------------------------


def test_a_role_over_one_of_two_merged_bureaus_ends_because_it_would_reach_further(tree: Tree) -> None:
    officer = factories.user(Role.OFFICER, tree.huqiu)
    change = merged(tree.huqiu, tree.wujiang)
    assert not Grant.objects.judged("test").in_force(TODAY()).filter(user=officer).exists()
    told = Notice.objects.filter(user=officer)
    assert {notice.details["what"] for notice in told} == {"boundary", "boundary_grant"}
    assert all(notice.details["change"] == change.pk for notice in told)


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_role_goes_on_where_it_reaches_no_further_or_somebody_confirmed_it(
    tree: Tree, confirmed: bool
) -> None:
    officer = factories.user(Role.OFFICER, tree.huqiu)
    sources = [tree.huqiu, tree.wujiang] if confirmed else [tree.huqiu]
    merged(*sources, carries_grants=confirmed)
    (held,) = Grant.objects.judged("test").in_force(TODAY()).filter(user=officer)
    assert held.bureau and held.bureau.code == "320599"
    assert fresh(officer).scope.bureau_paths == (held.bureau.path,)


def taken_in(tree: Tree, by: User, *sources: Bureau) -> BoundaryChange:
    """By 吴江区, with its people's roles."""
    parts = [part("from", one) for one in sources or (tree.huqiu,)]
    return planned(Kind.MERGE, *parts, part("to", tree.wujiang), carries_grants=True, by=by)


def held_at(person: User, bureau: Bureau) -> list[Grant]:
    rows = Grant.objects.judged("test").in_force(TODAY())
    return list(rows.filter(user=person, bureau=bureau, role=Role.OFFICER))


def told_of_role(person: User) -> list[str]:
    rows = Notice.objects.filter(user=person, details__what="boundary_grant").order_by("pk")
    return [notice.details["to"] for notice in rows]


def test_nobody_gives_a_wider_role_to_itself_by_a_merger(tree: Tree) -> None:
    by = factories.user(Role.ADMINISTRATOR, tree.suzhou)
    factories.grant(by, Role.OFFICER, tree.huqiu)
    change = taken_in(tree, by)
    ((_grant, why),) = boundaries.Preview(change, by).grants
    assert "不能给本人授权" in why
    boundaries.carry_out(change)
    assert (held_at(by, tree.wujiang), told_of_role(by)) == ([], [""])


@pytest.mark.parametrize("lasts", [True, False])
def test_a_role_is_widened_by_whoever_could_give_it_for_so_long(tree: Tree, lasts: bool) -> None:
    ends = TODAY() + timedelta(1)
    by = factories.user(Role.ADMINISTRATOR, tree.suzhou)
    Grant.objects.judged("test").filter(user=by).update(expires_on=None if lasts else ends)
    endless, short = (factories.user(Role.OFFICER, tree.huqiu) for _n in range(2))
    Grant.objects.judged("test").filter(user=short).update(expires_on=ends)
    boundaries.carry_out(taken_in(tree, User.objects.get(pk=by.pk)))
    assert [bool(held_at(person, tree.wujiang)) for person in (endless, short)] == [lasts, True]
    assert told_of_role(endless) == ([tree.wujiang.name] if lasts else [""])
    assert held_at(short, tree.wujiang)[0].granted_by == by


@pytest.mark.parametrize("days", [-1, 7])
def test_what_ran_out_or_soon_ends_at_the_successor_does_not_cut_a_role_short(tree: Tree, days: int) -> None:
    officer = factories.user(Role.OFFICER, tree.huqiu)
    factories.grant(officer, Role.OFFICER, tree.wujiang, expires_on=TODAY() + timedelta(days))
    boundaries.carry_out(taken_in(tree, factories.user(is_superuser=True)))
    (held,) = held_at(officer, tree.wujiang)
    assert held.expires_on is None
    # What ran out is not made to have lasted.
    assert (held.starts_on == TODAY()) == (days < 0)
    assert told_of_role(officer) == [tree.wujiang.name]


def test_of_roles_over_two_merged_bureaus_the_longer_goes_on(tree: Tree) -> None:
    third = factories.bureau("320506", "吴中区", tree.suzhou)
    officer = factories.user(Role.OFFICER, tree.huqiu)
    Grant.objects.judged("test").filter(user=officer).update(expires_on=TODAY() + timedelta(7))
    factories.grant(officer, Role.OFFICER, third)
    boundaries.carry_out(taken_in(tree, factories.user(is_superuser=True), tree.huqiu, third))
    (held,) = held_at(officer, tree.wujiang)
    assert held.expires_on is None
    assert told_of_role(officer) == [tree.wujiang.name] * 2


def test_a_role_that_is_not_widened_but_stands_at_the_successor_anyway_is_told_so(tree: Tree) -> None:
    officer = factories.user(Role.OFFICER, tree.huqiu)
    factories.grant(officer, Role.OFFICER, tree.wujiang)
    merged(tree.huqiu, into=part("to", tree.wujiang))
    assert told_of_role(officer) == [tree.wujiang.name]


def test_the_preview_says_which_roles_go_on(tree: Tree) -> None:
    factories.user(Role.OFFICER, tree.huqiu)
    for carries in (False, True):
        change = planned(
            Kind.MERGE,
            part("from", tree.huqiu),
            part("from", tree.wujiang),
            founded(),
            carries_grants=carries,
        )
        assert [not why for _grant, why in boundaries.Preview(change, change.planned_by).grants] == [carries]
        boundaries.cancel(change.planned_by, change)


# --- Firms and institutions ---------------------------------------------------------------------------------


def managed(firm: Organization, **fields: Any) -> User:
    """Somebody who administers the organisation."""
    person = factories.user(**fields)
    factories.grant(person, Role.FILER, firm, is_manager=True)
    return person


def told_of_firms(*people: User) -> list[tuple[str, str, str]]:
    rows = Notice.objects.filter(details__what="boundary_firm", user__in=people).order_by("user")
    names = "organization", "unit", "document"
    return [tuple(notice.details[name] for name in names) for notice in rows]  # type: ignore[misc]


def test_who_administers_a_firm_or_institution_is_told_once_which_bureau_is_theirs_now(tree: Tree) -> None:
    firm = factories.organization("甲公司", at=tree.huqiu)
    lab = factories.institution("乙检验院", at=tree.wujiang)
    people = [managed(firm), managed(lab)]
    change = merged(tree.huqiu, tree.wujiang)
    boundaries.carry_out(change)
    unit, document = "新区市场监督管理局", "演示〔2026〕1号"
    assert told_of_firms(*people) == [("甲公司", unit, document), ("乙检验院", unit, document)]
    notice = Notice.objects.get(user=people[0])
    on = formats.day_weekday(TODAY())
    said = f"因区划变更，甲公司自 {on} 起归{unit}管辖（依据：{document}）。"
    assert sentence(notice) == said
    assert browser(people[0]).get(page(notice)).status_code == 200


def test_nobody_else_is_told_of_a_firm(tree: Tree, divisions: Any) -> None:
    gone = factories.organization("甲公司", at=tree.huqiu, operating_division=divisions[0])
    rest, other = factories.organization(at=tree.huqiu), factories.organization(at=tree.binhu)
    told = managed(gone)
    factories.user(Role.FILER, gone)
    managed(gone, is_active=False)
    managed(rest)
    managed(other)
    boundaries.carry_out(planned(Kind.SPLIT, part("from", tree.huqiu, stays=True), founded(takes=["320581"])))
    (notice,) = Notice.objects.filter(details__what="boundary_firm")
    assert (notice.user, notice.details["unit"]) == (told, "新区市场监督管理局")


def test_however_many_firms_there_are_they_are_told_by_one_statement(tree: Tree) -> None:
    for _n in range(30):
        managed(factories.organization(at=tree.huqiu))
    with CaptureQueriesContext(connection) as asked:
        merged(tree.huqiu, tree.wujiang)
    told = [it["sql"] for it in asked if "INTO" in it["sql"] and "boundary_firm" in it["sql"]]
    assert len(told) == 1
    assert Notice.objects.filter(details__what="boundary_firm").count() == 30


# --- Who plans, when it is carried out ----------------------------------------------------------------------


def test_an_administrator_of_the_superior_plans(tree: Tree) -> None:
    by = factories.user(Role.ADMINISTRATOR, tree.suzhou)
    change = planned(Kind.MERGE, part("from", tree.huqiu), part("from", tree.wujiang), founded(), by=by)
    assert change.state == BoundaryChange.State.PLANNED
    assert fresh(tree.huqiu).valid_to is None


@pytest.mark.parametrize(
    ("role", "where"),
    [(Role.OFFICER, "suzhou"), (Role.ADMINISTRATOR, "huqiu"), (Role.ADMINISTRATOR, "wuxi")],
)
def test_nobody_else_plans(tree: Tree, role: str, where: str) -> None:
    by = factories.user(role, getattr(tree, where))
    with pytest.raises(PermissionDenied, match="上级单位的管理员"):
        planned(Kind.MERGE, part("from", tree.huqiu), part("from", tree.wujiang), founded(), by=by)


def test_moving_to_another_city_is_planned_above_both(tree: Tree) -> None:
    parts = part("from", tree.huqiu), part("to", tree.wuxi)
    with pytest.raises(PermissionDenied):
        planned(Kind.MOVE, *parts, by=factories.user(Role.ADMINISTRATOR, tree.suzhou))
    planned(Kind.MOVE, *parts, by=factories.user(Role.ADMINISTRATOR, tree.jiangsu))


def test_nothing_happens_before_its_day_and_the_job_does_it_once(tree: Tree) -> None:
    change = planned(
        Kind.MERGE, part("from", tree.huqiu), part("from", tree.wujiang), founded(), on=TODAY() + timedelta(1)
    )
    with pytest.raises(ValidationError, match="还没有到生效日期"):
        boundaries.carry_out(change)
    assert boundaries.carry_out_due() == 0
    with system_job("test"):
        BoundaryChange.objects.filter(pk=change.pk).update(effective_on=TODAY() - timedelta(30))
    assert [boundaries.carry_out_due(), boundaries.carry_out_due()] == [1, 0]
    assert fresh(tree.huqiu).valid_to == TODAY() - timedelta(30)
    boundaries.carry_out(change)
    assert Bureau.objects.filter(code="320599").count() == 1


def test_what_cannot_be_carried_out_any_more_says_why_and_stays_planned(tree: Tree) -> None:
    change = planned(
        Kind.MERGE, part("from", tree.huqiu), part("to", tree.wujiang), on=TODAY() + timedelta(1)
    )
    merged(tree.wujiang, into=founded())
    with system_job("test"):
        BoundaryChange.objects.filter(pk=change.pk).update(effective_on=TODAY())
    assert boundaries.carry_out_due() == 0
    assert "吴江区" in fresh(change).refusal
    assert fresh(tree.huqiu).valid_to is None


def test_a_cancelled_plan_never_happens_and_frees_its_bureaus(tree: Tree) -> None:
    by = factories.user(Role.ADMINISTRATOR, tree.suzhou)
    change = planned(Kind.MERGE, part("from", tree.huqiu), part("to", tree.wujiang), by=by)
    boundaries.cancel(by, change)
    assert boundaries.carry_out_due() == 0
    planned(Kind.MERGE, part("from", tree.huqiu), founded())
    with pytest.raises(ValidationError, match="已经生效或取消"):
        boundaries.cancel(by, change)


def due_today(change: BoundaryChange) -> BoundaryChange:
    with system_job("test"):
        BoundaryChange.objects.filter(pk=change.pk).update(effective_on=TODAY())
    return change


def test_a_change_that_fails_unforeseen_keeps_no_other_from_its_day(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = planned(Kind.MERGE, part("from", tree.huqiu), founded())
    sound = planned(Kind.MERGE, part("from", tree.binhu), founded("320299", "太湖区"))
    follow = boundaries._hand_over

    def fails(change: BoundaryChange, *parts: Any) -> None:
        if change.pk == broken.pk:
            raise IntegrityError
        follow(change, *parts)

    monkeypatch.setattr(boundaries, "_hand_over", fails)
    assert boundaries.carry_out_due() == 1
    assert fresh(sound).state == "done"
    assert (fresh(broken).state, "系统日志" in fresh(broken).refusal) == ("planned", True)


def test_a_plan_is_not_carried_out_where_a_unit_came_below_another_city_meanwhile(tree: Tree) -> None:
    by = factories.user(Role.ADMINISTRATOR, tree.suzhou)
    change = planned(
        Kind.MERGE, part("from", tree.huqiu), part("to", tree.wujiang), by=by, on=TODAY() + timedelta(1)
    )
    # Past the pages, which allow one planned change of a unit.
    wujiang = fresh(tree.wujiang)
    wujiang.parent = fresh(tree.wuxi)
    wujiang.save()
    assert boundaries.carry_out_due() == 0
    due_today(change)
    assert boundaries.carry_out_due() == 0
    assert "“吴江区”改由无锡市管辖" in fresh(change).refusal
    with pytest.raises(ValidationError, match="改由无锡市管辖"):
        boundaries.carry_out(change, confirmed_by=factories.user(is_superuser=True))
    assert fresh(tree.huqiu).valid_to is None


def test_a_plan_outlives_the_merger_of_the_superior(tree: Tree) -> None:
    change = planned(Kind.MERGE, part("from", tree.huqiu), founded(), on=TODAY() + timedelta(1))
    merged(tree.suzhou, tree.wuxi, into=founded("320900", "苏锡市"))
    due_today(change)
    assert boundaries.carry_out_due() == 1
    assert fresh(tree.huqiu).path == "000000/320000/320900/320599/320505/"


@pytest.mark.parametrize("lost", ["grant", "account"])
def test_a_plan_of_somebody_who_may_not_plan_any_more_waits_for_one_who_may(tree: Tree, lost: str) -> None:
    by = factories.user(Role.ADMINISTRATOR, tree.suzhou, is_superuser=lost == "account")
    change = planned(
        Kind.MERGE, part("from", tree.huqiu), part("to", tree.wujiang), by=by, on=TODAY() + timedelta(1)
    )
    if lost == "grant":
        (grant,) = by.grants_of(Role.ADMINISTRATOR)
        grant.ended_at = timezone.now()
        grant.save(update_fields=["ended_at"])
    else:
        by.is_active = False
        by.save()
    due_today(change)
    assert boundaries.carry_out_due() == 0
    assert "登记人已无权办理" in fresh(change).refusal
    other = factories.user(Role.ADMINISTRATOR, tree.jiangsu)
    assert boundaries.carry_out(change, confirmed_by=other).state == "done"


# --- What cannot stand --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "parts", "refusal"),
    [
        (Kind.MERGE, lambda t: [part("from", t.huqiu)], "合并后应是一个单位"),
        (Kind.MERGE, lambda t: [founded()], "请选择原单位"),
        (Kind.MERGE, lambda t: [part("from", t.huqiu), part("to", t.wuxi)], "同一层级"),
        (Kind.MERGE, lambda t: [part("from", t.huqiu), founded("320509")], "停用的代码不再使用"),
        (Kind.MERGE, lambda t: [part("from", t.nation), founded()], "总局不参加"),
        (Kind.MERGE, lambda t: [part("from", t.huqiu), part("to", t.huqiu)], "不能同时"),
        (Kind.SPLIT, lambda t: [part("from", t.huqiu), founded(takes=["320505"])], "至少要有两个"),
        (Kind.SPLIT, lambda t: [part("from", t.huqiu, stays=True), founded()], "请写明划给"),
        (
            Kind.SPLIT,
            lambda t: [part("from", t.huqiu, stays=True), founded(takes=["999999"])],
            "原单位没有这些代码：999999",
        ),
        (Kind.MOVE, lambda t: [part("from", t.suzhou), part("to", t.huqiu)], "不能作为"),
        (Kind.MOVE, lambda t: [part("from", t.huqiu), part("to", t.suzhou)], "已经隶属"),
        (Kind.RENAME, lambda t: [part("from", t.huqiu)], "请写明新的名称"),
        (
            Kind.RENAME,
            lambda t: [part("from", t.huqiu, name=t.huqiu.name, short_name=t.huqiu.short_name)],
            "与现在的名称相同",
        ),
    ],
)
def test_a_plan_that_cannot_stand_is_refused_in_words(
    tree: Tree, kind: str, parts: Any, refusal: str
) -> None:
    with pytest.raises(ValidationError, match=refusal):
        planned(kind, *parts(tree))
    assert not BoundaryChange.objects.judged("test").exists()


def test_a_unit_is_not_changed_before_it_was_founded(tree: Tree) -> None:
    merged(tree.huqiu, on=TODAY() - timedelta(9))
    unit, yesterday = Bureau.objects.get(code="320599"), TODAY() - timedelta(10)
    for parts in ([part("from", unit), founded("320598")], [part("from", tree.wujiang), part("to", unit)]):
        with pytest.raises(ValidationError, match="才设立"):
            planned(Kind.MERGE, *parts, on=yesterday)
    merged(unit, into=founded("320598"), on=TODAY() - timedelta(9))


def test_mergers_into_mergers_are_refused_before_their_path_overflows(tree: Tree) -> None:
    unit, room = tree.huqiu, Bureau._meta.get_field("path").max_length
    for number in range(7):
        merged(unit, into=founded(f"32059{number}"))
        unit = Bureau.objects.get(code=f"32059{number}")
    assert len(fresh(tree.huqiu).path) == 77 <= room
    for parts in (
        (Kind.MERGE, part("from", unit), founded()),
        (Kind.SPLIT, part("from", unit), founded(), founded("320598", takes=["320505"])),
    ):
        with pytest.raises(ValidationError, match="隶属层次（含历次合并前的单位）过多"):
            planned(*parts)
    planned(Kind.MOVE, part("from", unit), part("to", tree.wuxi))


def test_a_bureau_has_one_planned_change_at_a_time(tree: Tree) -> None:
    planned(Kind.MERGE, part("from", tree.huqiu), founded())
    with pytest.raises(ValidationError, match="已有一项待生效的区划变更"):
        planned(Kind.MOVE, part("from", tree.huqiu), part("to", tree.wuxi))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"document": ""}, "boundary_change_by_document"),
        ({"state": "done"}, "boundary_change_ended_at"),
    ],
)
def test_the_database_refuses_a_change_without_document_or_end(
    tree: Tree, fields: dict[str, Any], name: str
) -> None:
    values = {"kind": "merge", "effective_on": TODAY(), "document": "文", "planned_by": factories.user()}
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        BoundaryChange.objects.create(**values | fields)


def test_the_nation_never_ends(tree: Tree) -> None:
    tree.nation.valid_to = TODAY()
    with pytest.raises(IntegrityError, match="bureau_nation_lasts"), transaction.atomic():
        tree.nation.save()


# --- Two at once --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_one_bureau_at_once_one_wins() -> None:
    tree = Tree()
    people = [factories.user(is_superuser=True) for _ in range(2)]
    barrier, answers = threading.Barrier(2), []

    def go(by: User, code: str) -> None:
        try:
            barrier.wait()
            change = planned(Kind.MERGE, part("from", tree.huqiu), founded(code), by=by)
            boundaries.carry_out(change)
            answers.append("done")
        except ValidationError as refused:
            answers.append(refused.messages[0])
        finally:
            connection.close()

    threads = [
        threading.Thread(target=go, args=pair) for pair in zip(people, ("320598", "320599"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("done") == 1, answers
    assert any("待生效的区划变更" in answer or "撤销" in answer for answer in answers)
    assert Bureau.objects.in_force().filter(code__in=["320598", "320599"]).count() == 1


@pytest.mark.django_db(transaction=True)
def test_carried_out_by_two_workers_at_once_it_is_done_once() -> None:
    tree = Tree()
    firm = factories.organization(at=tree.huqiu)
    change = planned(Kind.MERGE, part("from", tree.huqiu), part("from", tree.wujiang), founded())
    barrier = threading.Barrier(2)

    def go() -> None:
        try:
            barrier.wait()
            boundaries.carry_out_due()
        finally:
            connection.close()

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fresh(change).state == "done"
    events = Event.objects.judged("test").filter(entity="enterprises.organization", row=str(firm.pk))
    assert events.filter(kind="changed").count() == 1


def test_a_firm_of_an_old_division_is_offered_the_successor(tree: Tree, divisions: Any) -> None:
    tree.huqiu.division = divisions[0]
    tree.huqiu.save()
    merged(tree.huqiu, tree.wujiang)
    proposed = proposed_bureau(divisions[0])
    assert proposed is not None
    assert proposed.code == "320599"
