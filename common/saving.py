"""Saving a row whose constraints the database judges, and putting in words what it refused."""

from collections.abc import Collection

from django.db import IntegrityError, models, transaction


def save_checked(row: models.Model, changed: Collection[str] | None = None) -> None:
    """Save a row after checking the changed fields, all unless named.

    Django would ask the database once for every constraint before it writes; here the database is asked by
    writing, and only its refusal is put in words. So the loser of a race reads the same sentence.
    Raises ValidationError.
    """
    unchanged = () if changed is None else {field.name for field in row._meta.fields} - set(changed)
    row.clean_fields(exclude=unchanged)
    row.clean()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        row.validate_unique()
        row.validate_constraints()
        raise
