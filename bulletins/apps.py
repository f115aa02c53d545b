from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BulletinsConfig(AppConfig):
    name = "bulletins"
    verbose_name = _("统计与通报")

    def ready(self) -> None:
        from bulletins import notices, recorded  # noqa: PLC0415  (needs the models of all apps)

        recorded.declare()
        notices.declare()
