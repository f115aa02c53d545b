"""Days between dates, as the database counts them."""

from typing import Any

from django.db.models import Func, IntegerField
from django.db.models.sql.compiler import SQLCompiler


class DaysBetween(Func):
    """How many days lie between two dates, the later one first, also in constraints.

    Django's own difference of dates needs a function that SQLite has in Django's connections alone.
    """

    arity = 2
    output_field = IntegerField()

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **context: Any) -> tuple[str, Any]:
        template = "CAST(julianday(%(expressions)s) AS integer)"
        return self.as_sql(compiler, connection, template=template, arg_joiner=") - julianday(", **context)

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **context: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="(%(expressions)s)", arg_joiner=" - ", **context)
