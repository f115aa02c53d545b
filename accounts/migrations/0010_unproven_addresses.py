from django.db import migrations, models
from django.db.models import Exists, OuterRef


def doubt_typed_ones(apps, schema_editor):
    """Who opened the account by joining typed the address; whether a link changed it later is not known."""
    Registration, Invitation, User = (
        apps.get_model("accounts", name) for name in ("Registration", "Invitation", "User")
    )
    User.objects.filter(
        Exists(Registration.objects.filter(user=OuterRef("pk"))),
        ~Exists(Invitation.objects.filter(accepted_by=OuterRef("pk"), email__iexact=OuterRef("email"))),
        created_by=None,
    ).update(has_unproven_address=True)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_names_and_invitations")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="has_unproven_address",
            field=models.BooleanField(default=False, editable=False, verbose_name="邮箱未经验证"),
        ),
        migrations.RunPython(doubt_typed_ones, migrations.RunPython.noop),
    ]
