"""How a caller of the API shows who is asking."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from common.prepared import Prepared


class TokenLogin(TokenAuthentication):
    """The token of a program; whose it is is the first question of every request."""

    def authenticate_credentials(self, key: str) -> tuple[Any, Token]:
        for token in tokens(key=key):
            if token.user.is_active:
                return token.user, token
        raise AuthenticationFailed(_("令牌无效或已停用。"))


@Prepared
def tokens(key: str) -> QuerySet:
    return Token.objects.filter(key=key).select_related("user")


class SessionLogin(SessionAuthentication):
    """The login of the pages, which protects what is sent with a token of its own."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as fault:
            raise PermissionDenied(
                _(
                    "没有执行：用登录会话提交时，请求头 X-CSRFToken 应与 Cookie 中的 %(cookie)s 一致。"
                    "程序请用令牌。"
                )
                % {"cookie": settings.CSRF_COOKIE_NAME},
                code="csrf_failed",
            ) from fault
