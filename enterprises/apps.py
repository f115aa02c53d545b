from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EnterprisesConfig(AppConfig):
    name = "enterprises"
    verbose_name = _("机构与企业")

    def ready(self) -> None:
        from enterprises import recorded  # noqa: PLC0415  (needs the models of all apps)

        recorded.declare()
