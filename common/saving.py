"""Saving a row whose constraints the database judges, and putting in words what it refused."""

from collections.abc import Collection

from django.db import IntegrityError, models, transaction


def save_checked(row: models.Model, changed: Collection[str] | None = None) -> None:
    """Save a row after checking the changed fields, all unless named.

    Django would ask the database once for every constraint before it writes; here the database is asked by
    writing, and only its refusal is put in words. So the loser of a race reads the same sentence.
    Raises ValidationError.
    """
    check(row, changed)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        row.validate_unique()
        row.validate_constraints()
        raise


def check(row: models.Model, changed: Collection[str] | None = None) -> None:
    """Check the changed fields, all unless named, as far as the row itself tells; raises ValidationError.

    Of a row that it names and holds in memory it is known that it exists.
    """
    names = {field.name for field in row._meta.fields}
    unchanged = set() if changed is None else names.difference(changed)
    known = names.intersection(row._state.fields_cache)
    row.clean_fields(exclude=unchanged | known)
    row.clean()
