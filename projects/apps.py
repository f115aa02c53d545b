from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProjectsConfig(AppConfig):
    name = "projects"
    verbose_name = _("项目与堵点")

    def ready(self) -> None:
        from projects import boundaries, notices, recorded, similar  # noqa: PLC0415  (needs the models of all apps)

        recorded.declare()
        notices.declare()
        boundaries.declare()
        similar.watch()
