"""The API as a whole: addresses, the form of every answer and of every failure."""

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import defaults
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView, exception_handler, set_rollback

from bulletins.api import (
    BulletinViewSet,
    ComparisonViewSet,
    ExcuseViewSet,
    FigureViewSet,
    PassportViewSet,
    PeriodViewSet,
    SubmissionViewSet,
)
from enterprises.api import BureauViewSet, ChainViewSet, InstitutionViewSet, OrganizationViewSet
from enterprises.standing import overtaken
from projects.api import (
    BottleneckViewSet,
    ConsortiumViewSet,
    InspectionReportViewSet,
    KeyProjectViewSet,
    ParticipationViewSet,
    PolicyInstrumentViewSet,
    ProjectViewSet,
    PublishedBottleneckViewSet,
    QualityListViewSet,
    QualityMapViewSet,
    SharedBottleneckViewSet,
    SpecDemandViewSet,
)

logger = logging.getLogger(__name__)

router = SimpleRouter(use_regex_path=False)
router.register("bureaus", BureauViewSet, basename="api-bureau")
router.register("chains", ChainViewSet, basename="api-chain")
router.register("organizations", OrganizationViewSet, basename="api-organization")
router.register("institutions", InstitutionViewSet, basename="api-institution")
router.register("projects", ProjectViewSet, basename="api-project")
router.register("participations", ParticipationViewSet, basename="api-participation")
router.register("consortia", ConsortiumViewSet, basename="api-consortium")
router.register("key-projects", KeyProjectViewSet, basename="api-key-project")
router.register("bottlenecks", BottleneckViewSet, basename="api-bottleneck")
router.register("shared-bottlenecks", SharedBottleneckViewSet, basename="api-shared-bottleneck")
router.register("published-bottlenecks", PublishedBottleneckViewSet, basename="api-published-bottleneck")
router.register("quality-lists", QualityListViewSet, basename="api-quality-list")
router.register("instruments", PolicyInstrumentViewSet, basename="api-instrument")
router.register("reports", InspectionReportViewSet, basename="api-report")
router.register("spec-demands", SpecDemandViewSet, basename="api-spec-demand")
router.register("quality-maps", QualityMapViewSet, basename="api-quality-map")
router.register("bulletins", BulletinViewSet, basename="api-bulletin")
router.register("periods", PeriodViewSet, basename="api-period")
router.register("figures", FigureViewSet, basename="api-figure")
router.register("passports", PassportViewSet, basename="api-passport")
router.register("comparisons", ComparisonViewSet, basename="api-comparison")
router.register("submissions", SubmissionViewSet, basename="api-submission")
router.register("excuses", ExcuseViewSet, basename="api-excuse")


def failure(code: str, message: str, fields: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """The one form of every failure."""
    return {"error": {"code": code, "message": message, "fields": dict(fields or {})}}


def describe_failures(result: dict[str, Any], **_given: Any) -> dict[str, Any]:
    """For the schema: whatever is not answered as an operation says has the form of a failure."""
    words = {"type": "string"}
    told = {
        "code": words,
        "message": words,
        "fields": {"type": "object", "additionalProperties": {"type": "array", "items": words}},
    }
    error = {"type": "object", "properties": told, "required": list(told)}
    schemas = result["components"].setdefault("schemas", {})
    schemas["Failure"] = {"type": "object", "properties": {"error": error}, "required": ["error"]}
    answer = {
        "description": "What was wrong: a code for programs, a sentence for people, sentences by field.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("default", answer)
    return result


class Overtaken(exceptions.APIException):
    """A bureau that is named has ended since it was read."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = gettext_lazy("所涉及的单位或记录刚刚撤销或被他人改动，没有保存。请重新读取后再提交。")
    default_code = "overtaken"


def on_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every failure in one form: a code for programs, a sentence for people, sentences by field."""
    if isinstance(error, RecursionError):  # lists in lists in lists, deeper than they can be read
        error = exceptions.ParseError()
    if overtaken(error):
        logger.warning("overtaken at %s", context["request"].path, exc_info=error)
        error = Overtaken()
    response = exception_handler(error, context)
    if response is None:
        return _fault(error, context)
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        sentences = {name: _sentences(faults) for name, faults in fields.items()}
        loose = sentences.pop("non_field_errors", None) or sentences.pop("__all__", None)
        message = " ".join(loose) if loose else _("有 %d 处需要修改。") % len(sentences)
        response.data = failure("invalid", message, sentences)
    elif isinstance(error, Http404):
        response.data = failure("not_found", _("没有这条记录，或它不在您的范围内。"))
    elif isinstance(error, PermissionDenied):
        response.data = failure("forbidden", str(error) or _("您没有办理这一步的权限。"))
    elif isinstance(error, exceptions.APIException):
        response.data = failure(str(error.get_codes()), str(error.detail))
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What was refused before it came to an endpoint: in the same form, on pages as a page."""
    if not request.path_info.startswith("/api/"):
        return defaults.bad_request(request, exception)
    return JsonResponse(failure("bad_request", _("无法理解这个请求")), status=400)


def _fault(error: Exception, context: dict[str, Any]) -> Response | None:
    """Our own fault: noted in the log in full, told to the caller in the same form."""
    if settings.DEBUG:
        return None
    request = context["request"]._request
    got_request_exception.send(sender=on_exception, request=request)
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    set_rollback()
    return Response(
        failure("error", _("系统出错，已记录，请稍后再试。")), status=status.HTTP_500_INTERNAL_SERVER_ERROR
    )


def _sentences(faults: Any) -> list[str]:
    """All sentences of a fault, however deep the form was nested."""
    if isinstance(faults, dict):
        return [sentence for part in faults.values() for sentence in _sentences(part)]
    if isinstance(faults, list):
        return [sentence for part in faults for sentence in _sentences(part)]
    return [str(faults)]


@extend_schema(exclude=True)
class Nowhere(APIView):
    """Any other address below the API: not a page, but the same form of failure."""

    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound(_("没有这个接口地址。"))
