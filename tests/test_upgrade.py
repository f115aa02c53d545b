"""Migrations make the tables that the models ask for, and bring up to them what was filled under an earlier
version."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management.color import no_style
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model
from django.utils import timezone

from accounts.models import Role, Substitution, User
from bulletins import services as periods
from bulletins.models import Bulletin
from enterprises.standing import InForce
from projects import services
from projects.models import Bottleneck, Evidence
from tests import factories
from tests.factories import Cast

# As the portal was before reports, twins and the whole life of problems.
EARLIER = [
    ("accounts", "0006_maker_of_account"),
    ("bulletins", "0001_initial"),
    ("enterprises", "0002_organization_applying"),
    ("projects", "0003_provisional_drafts"),
    ("record", "0001_initial"),
]
APPS = {app for app, _name in EARLIER}
# Of these there are no rows: migrations since then do not touch them, or they are filled below.
UNUSED = {
    "accounts.Invitation",
    "accounts.NoticeChoice",
    "accounts.Registration",
    "accounts.Substitution",
    "accounts.User_groups",
    "accounts.User_user_permissions",
    "enterprises.Division",
    "enterprises.Division_replaced_by",
    "projects.ProjectGoal",
    "projects.ProjectRegion",
    "record.DayRoot",
    "record.Seal",
}
S = Bottleneck.Status
Row = dict[str, Any]


@pytest.fixture
def elsewhere(transactional_db: None, tmp_path: Path, settings: Any) -> Iterator[None]:
    """A call moves the connection to an empty database; afterwards it is back where it was."""
    settings.MIGRATION_MODULES = {}
    home = connection.settings_dict["NAME"]
    is_file = connection.vendor == "sqlite"
    away = str(tmp_path / "earlier.sqlite3") if is_file else f"{home}_earlier"

    def command(sql: str) -> None:
        if not is_file:
            with connection.cursor() as cursor:
                cursor.execute(f"{sql} {connection.ops.quote_name(away)}")

    def move_to(name: str) -> None:
        connection.close()
        connection.settings_dict["NAME"] = name

    command("CREATE DATABASE")
    yield lambda: move_to(away)
    move_to(home)
    command("DROP DATABASE")


def fill(state: Any) -> None:
    """Rows of each kind, in every state that there was, with clocks that run over holidays."""
    cast = Cast()
    for status, _label in state.models["projects", "bottleneck"].fields["status"].choices:
        if status not in (S.DRAFT, S.MERGED):
            cast.bring_to(status)
    factories.draft(cast.filer)
    master, child = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED)
    data = {"master": master, "reason": "同一缺口。"}
    services.move(child, "merge", by=cast.city_officer, data=data)
    before_festival = datetime(2025, 1, 24, 10, tzinfo=timezone.get_default_timezone())
    cast.bring_to(S.SUBMITTED, at=before_festival)
    proved = cast.bring_to(S.SOLUTION_FILED)
    for element, kind in (("STD", "standard"), ("MET", "certificate")):
        proved.evidence.create(
            element=element,
            kind=kind,
            title="证据",
            number=element,
            issuer="演示院",
            issued_on=date(2025, 1, 2),
        )
    services.attach(cast.bring_to(S.RETURNED), factories.png(), by=cast.filer)
    work = factories.project()
    factories.participation(cast.firm, work)
    factories.key_project(work).bottlenecks.add(master)
    factories.consortium(cast.firm)
    snapshot = periods.freeze_now(periods.get_period("2024"), None)
    Bulletin.objects.create(
        bureau=cast.city, period=snapshot.period, snapshot=snapshot, title="通报", verification_code="ZLTB-1"
    )


def earlier_state() -> Any:
    return MigrationExecutor(connection).loader.project_state(EARLIER)


def tables(state: Any) -> list[type[Model]]:
    """What the earlier version kept, those of relations as well."""
    return [
        model
        for model in state.apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]


def columns(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def rows_of(model: type[Model], names: list[str]) -> list[Row]:
    manager = model._base_manager
    return sorted(manager.values(*names), key=lambda row: str([row[name] for name in names]))


def migrate(targets: list[tuple[str, str]]) -> None:
    executor = MigrationExecutor(connection)
    executor.recorder.ensure_schema()
    executor.migrate(targets)


def schema() -> dict[str, Any]:
    """Columns, the constraints and indexes that have a name, and what stands whatever it is called, as the
    database has them. Foreign keys have no name on SQLite."""
    models = [model._meta for app in APPS for model in apps.get_app_config(app).get_models(True, True)]
    found = {}
    with connection.cursor() as cursor:
        for meta in (meta for meta in models if meta.managed):
            named = [it.name for it in (*meta.constraints, *meta.indexes) if not isinstance(it, InForce)]
            columns = connection.introspection.get_table_description(cursor, meta.db_table)
            rules = connection.introspection.get_constraints(cursor, meta.db_table)
            for rule in rules.values():
                # On SQLite Django tells those of a key in the order of the table.
                rule["columns"] = sorted(rule["columns"]) if rule["primary_key"] else rule["columns"]
            found[meta.label] = (
                {column.name: column[1:7] for column in columns},
                {name: rules.get(name) for name in named},
                sorted(str(sorted(rule.items(), key=str)) for rule in rules.values()),
            )
    return found


def store(state: Any, kept: dict[str, list[Row]]) -> None:
    with transaction.atomic():
        for model in tables(state):
            for field in model._meta.concrete_fields:
                field.auto_now = field.auto_now_add = False
            model._base_manager.bulk_create(model(**row) for row in kept.get(model._meta.label, ()))
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), tables(state)):
            cursor.execute(sql)


@pytest.mark.django_db(transaction=True)
def test_rows_states_clocks_and_constraints_come_through(elsewhere: Any) -> None:
    state = earlier_state()
    fill(state)
    ours = [model for model in tables(state) if model._meta.app_label in APPS]
    kept = {model._meta.label: rows_of(apps.get_model(model._meta.label), columns(model)) for model in ours}
    assert {label for label, rows in kept.items() if not rows} == UNUSED
    amber = dict(Bottleneck.objects.values_list("pk", "clock_amber_on"))
    kinds = dict(Evidence.objects.values_list("pk", "kind"))
    people = list(User.objects.filter(name__in=("县局经办", "核验人")).values_list("pk", flat=True))
    long_ago = date(2026, 1, 5)
    kept["accounts.Substitution"] = [
        {"id": n, "principal_id": one, "substitute_id": other, "starts_on": long_ago, "reason": "",
         "ends_on": long_ago + timedelta(days=days), "created_at": timezone.now(), "ended_at": None}
        for n, (one, other, days) in enumerate([(*people, 180), (*people[::-1], 30)], 1)
    ]  # fmt: skip

    # All other tests run on tables that were made from the models.
    wanted = schema()

    elsewhere()
    migrate(EARLIER)
    store(state, kept)
    migrate([leaf for leaf in MigrationExecutor(connection).loader.graph.leaf_nodes() if leaf[0] in APPS])

    # Nothing that was said is lost or changed, but what migrations are there to change.
    for model in ours:
        label, names = model._meta.label, columns(model)
        if label != "accounts.Substitution":
            assert rows_of(apps.get_model(label), names) == kept[label], label
    terms = Substitution.objects.order_by("pk")
    assert [(term.ends_on - term.starts_on).days for term in terms] == [91, 30]
    assert dict(Bottleneck.objects.values_list("pk", "clock_amber_on")) == amber
    assert dict(Evidence.objects.values_list("pk", "kind")) == kinds

    # What the present version demands of its tables holds.
    connection.check_constraints()
    for table, there in schema().items():
        assert there == wanted[table], table
    assert None not in [rule for _columns, rules, _all in wanted.values() for rule in rules.values()]
    for wrong in ({"clock_amber_on": None}, {"extended_count": 3}, {"economic_effect": 1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Bottleneck.objects.filter(status=S.SUBMITTED).update(**wrong)

    # And people go on where they were.
    filed = Bottleneck.objects.filter(status=S.SUBMITTED).first()
    officer = User.objects.get(name="县局经办")
    services.move(filed, "accept", by=officer, version=filed.version)
    waiting = Bottleneck.objects.get(status=S.VERIFICATION)
    checked = factories.verification(waiting)
    services.move(waiting, "verify", by=User.objects.get(name="核验人"), data=checked)
    assert (filed.status, waiting.status) == (S.ACCEPTED, S.RESOLVED)
    assert officer.grants_of(Role.OFFICER)
