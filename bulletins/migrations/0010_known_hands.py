from django.db import migrations


def note(apps, schema_editor):
    """Who had a hand in what is known, and the frozen year before as it was when a bulletin was drafted."""
    snapshots = apps.get_model("bulletins", "Snapshot").objects
    for row in apps.get_model("bulletins", "Bulletin").objects.select_related("period"):
        hands = [row.created_by_id, row.edited_by_id, row.submitted_by_id]
        hands += row.wordings.values_list("edited_by", flat=True)
        row.hands = sorted({pk for pk in hands if pk})
        code = row.period.code
        row.compared_with = (
            snapshots.filter(period__code=f"{int(code[:4]) - 1}{code[4:]}", job_state="done")
            .filter(version__gt=0, finished_at__lte=row.created_at)
            .order_by("-version")
            .first()
        )
        row.save(update_fields=["hands", "compared_with"])


class Migration(migrations.Migration):
    dependencies = [
        ("bulletins", "0009_pinned_year_before"),
    ]

    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
