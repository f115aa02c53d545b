"""How a program shows in whose name it calls the API."""

from datetime import date

from django.db.models import QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed

from accounts.models import User
from accounts.models.users import at_hand
from common.prepared import Prepared


class TokenLogin(TokenAuthentication):
    """The token of a program; whose it is, and what was granted to it, is the first question of a request."""

    def authenticate_credentials(self, key: str) -> tuple[User, Token]:
        token = _with_grants(key) or next(iter(tokens(key=key)), None)
        if token is None or not token.user.is_active:
            raise AuthenticationFailed(_("令牌无效或已停用。"))
        return token.user, token


def _with_grants(key: str) -> Token | None:
    """The token, and the grants of its user; nothing where the user holds none today."""
    grants = grants_by_token(key=key, today=timezone.localdate())
    for grant in grants:
        # Who lends a grant may have a token as well.
        token = getattr(grant.user, "auth_token", None)
        if token and token.key == key:
            token.user.grants_in_force = token.user.as_held(grants)
            return token
    return None


@Prepared
def grants_by_token(key: str, today: date) -> QuerySet:
    user = Subquery(Token.objects.filter(key=key).values("user"))
    return at_hand(user, today).select_related("user__auth_token")


@Prepared
def tokens(key: str) -> QuerySet:
    return Token.objects.filter(key=key).select_related("user")
