"""What is of now names bureaus of now: held by the database, for all columns by one definition."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, migrations, models
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
            words = {"unit": bureau.short_name, "heir": bureau.heir.short_name}
            raise ValidationError(_("“%(unit)s”已撤销，现由“%(heir)s”办理。") % words)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, InForce):
            return (self.name, self.field) == (other.name, other.field)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__name__}", (), {"name": self.name, "field": self.field}


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
