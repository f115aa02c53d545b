from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("用户与权限")

    def ready(self) -> None:
        from accounts import notices, recorded  # noqa: PLC0415  (needs the models of all apps)

        recorded.declare()
        notices.declare()
        from accounts.security import signals  # noqa: PLC0415

        signals.connect()
