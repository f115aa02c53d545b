from django.apps import AppConfig
from django.core.validators import ProhibitNullCharactersValidator
from django.utils.translation import gettext_lazy as _


class CommonConfig(AppConfig):
    name = "common"

    def ready(self) -> None:
        # Django's Chinese sentence speaks of empty texts.
        ProhibitNullCharactersValidator.message = _("文字中有不可见的空字符（NUL），无法保存，请删除。")
