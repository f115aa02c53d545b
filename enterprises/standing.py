"""What is of now names bureaus of now: held by the database, for all columns by one definition.

Two columns are excepted, `ProjectRegion.bureau` and `PolicyInstrument.bureau`: where the successor has the
like of a row, no second may stand there, and the row stays with the bureau that has ended. So the database
cannot refuse such rows; who stores one holds its bureau (`hold`).
"""

from collections.abc import Collection
from typing import Any

from django.apps import apps as registry
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, migrations, models
from django.db.backends.ddl_references import Statement, Table
from django.db.models.constraints import BaseConstraint
from django.utils.translation import gettext as _


class InForce(BaseConstraint):
    """The field names a bureau that has not ended.

    A foreign key onto `Bureau.standing`, in place of Django's own (hence ``db_constraint=False``): no row
    names a bureau that has ended, none ends while a row names it, and there is no more to check than before.
    Judged at the end of a transaction, like all foreign keys of the portal.
    """

    def __init__(self, *, field: str, name: str) -> None:
        super().__init__(name=name)
        self.field = field

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """SQLite has foreign keys in the definition of the table; elsewhere the other table comes first."""
        if schema_editor.connection.vendor == "sqlite":
            return f"CONSTRAINT {schema_editor.quote_name(self.name)} {self._key(model, schema_editor)}"
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return None

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return Statement(
            f"ALTER TABLE %(table)s ADD CONSTRAINT %(name)s {self._key(model, schema_editor)}",
            table=Table(model._meta.db_table, schema_editor.quote_name),
            name=schema_editor.quote_name(self.name),
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return schema_editor._delete_constraint_sql(schema_editor.sql_delete_fk, model, self.name)

    def _key(self, model: Any, schema_editor: Any) -> str:
        field = model._meta.get_field(self.field)
        names = field.column, field.related_model._meta.db_table, "standing"
        column, table, standing = map(schema_editor.quote_name, names)
        return f"FOREIGN KEY ({column}) REFERENCES {table} ({standing}) DEFERRABLE INITIALLY DEFERRED"

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Collection[str] | None = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Asked of the table: the bureau in memory may be that of a moment ago."""
        field: Any = model._meta.get_field(self.field)
        if self.field in (exclude or ()):
            return
        ended = field.related_model._base_manager.using(using).filter(valid_to__isnull=False)
        if bureau := ended.filter(pk=getattr(instance, field.attname)).first():
            raise _ended(bureau)

    def is_broken(self, model: type[models.Model], using: str) -> bool:
        """Whether a row names a bureau that has ended, as it can until the transaction ends."""
        ended = {f"{self.field}__valid_to__isnull": False}
        return model._base_manager.using(using).filter(**ended).exists()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, InForce):
            return (self.name, self.field) == (other.name, other.field)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__name__}", (), {"name": self.name, "field": self.field}


def _ended(bureau: Any) -> ValidationError:
    words = {"unit": bureau.short_name, "heir": bureau.heir.short_name}
    return ValidationError(_("“%(unit)s”已撤销，现由“%(heir)s”办理。") % words)


def hold(row: models.Model, bureau: models.Model) -> None:
    """Keep the bureau, which the row is to name, from ending before the transaction does.

    Asked before the row is locked, as by a change of boundaries. Raises ValidationError where the bureau has
    ended, unless the row is one that was left behind there.
    """
    now: Any = type(bureau)._base_manager.select_for_update(no_key=True).get(pk=bureau.pk)
    if now.valid_to and not type(row)._base_manager.filter(pk=row.pk, bureau=now).exists():
        raise _ended(now)


def overtaken(error: Exception) -> bool:
    """Whether the database refused because a row of now would name a bureau that has ended since it was read.

    That is judged when the transaction ends, where no form or service hears of it. Any other key that leads
    nowhere is a fault of ours.
    """
    if not isinstance(error, IntegrityError):
        return False
    told = getattr(error.__cause__, "diag", error)  # PostgreSQL's driver; `common.sqlite`
    rules = (rule for model in registry.get_models() for rule in model._meta.constraints)
    return getattr(told, "constraint_name", None) in {it.name for it in rules if isinstance(it, InForce)}


def followed(model: str, *fields: str) -> migrations.RunPython:
    """The step of a migration before the rule: rows that name a bureau that has ended name its successor."""

    def follow(apps: Any, schema_editor: Any) -> None:
        rows: Any = apps.get_model(model)._base_manager
        bureaus = apps.get_model("enterprises.Bureau")._base_manager
        for field in fields:
            heir = models.Subquery(bureaus.filter(pk=models.OuterRef(field)).values("parent"))
            while rows.filter(**{f"{field}__valid_to__isnull": False}).update(**{field: heir}):
                pass
        if schema_editor.connection.vendor == "postgresql":
            # A table is not altered while its keys are still to be judged.
            schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    return migrations.RunPython(follow, migrations.RunPython.noop)
