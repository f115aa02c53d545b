from datetime import timedelta

from django.db import migrations, models
from django.db.models.lookups import LessThan

from common.dates import DaysBetween


def cut_to_a_quarter(apps, schema_editor):
    """Terms from before there was a limit end on the last day that it allows."""
    for row in apps.get_model("accounts", "Substitution").objects.all():
        if (row.ends_on - row.starts_on).days >= 92:
            row.ends_on = row.starts_on + timedelta(days=91)
            row.save(update_fields=["ends_on"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_maker_of_account"),
    ]

    operations = [
        migrations.RunPython(cut_to_a_quarter, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            model_name="substitution",
            constraint=models.CheckConstraint(
                condition=LessThan(DaysBetween("ends_on", "starts_on"), 92),
                name="substitution_a_quarter_at_most",
                violation_error_message="一次代理最长 92 天，到期可以重新指定。",
            ),
        ),
    ]
