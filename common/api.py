"""What every endpoint has in common: rows without model instances, cursor pages with a total, sorting."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC
from functools import cache
from typing import Any, NoReturn

import django_filters as df
from django import forms
from django.core.exceptions import ValidationError as RefusedValue
from django.core.validators import MaxLengthValidator
from django.db.models import Model, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiFilterExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from common import formats
from common.filters import CodeField, CodesField
from common.forms import Text, readable


class MomentField(serializers.DateTimeField):
    """A moment in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)


class TextField(serializers.CharField):
    """Text as people read it (`common.forms.Text`); limits count characters."""

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # That of the framework keeps the language in which it was said first.
        self.validators.append(MaxLengthValidator(max_length, Text.default_error_messages["max_length"]))

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(readable(data) if isinstance(data, str) else data)


class CodeList(serializers.ListField):
    """The codes of a `CodeSetField`."""

    child = serializers.CharField()


class CodeChoice(serializers.ChoiceField):
    """A value of a code list; the refusal names the codes that would do."""

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        if key == "invalid_choice":
            raise ValidationError(
                _("“%(value)s”不在可选项中，可选：%(accepted)s。")
                % {
                    "value": formats.excerpt(str(kwargs["input"])),
                    "accepted": formats.listed(code for code in self.choices if code),
                }
            )
        super().fail(key, **kwargs)


class SessionLoginScheme(SessionScheme):
    """Described as what it is, the session cookie."""

    target_class = "common.authentication.SessionLogin"


class RowSerializer(serializers.Serializer):
    """The fields of an endpoint, named one by one; ``source`` is a path to a column.

    Lists read these columns straight into the answer: a serializer spends more time on fifty rows than the
    database does.
    """

    @classmethod
    @cache
    def paths(cls) -> dict[str, str]:
        return {name: (one.source or name).replace(".", "__") for name, one in cls().fields.items()}


class PageFilters(DjangoFilterBackend):
    """The filter set of the page of the same rows; a fault in a filter is refused, at its name."""


class PageFiltersExtension(OpenApiFilterExtension):
    """Describes the filters by their form fields, which know more than the columns do."""

    target_class = PageFilters
    priority = 1

    def get_schema_operation_parameters(
        self, auto_schema: AutoSchema, *args: Any, **kwargs: Any
    ) -> list[dict[str, Any]]:
        filterset = getattr(auto_schema.view, "filterset_class", None)
        if filterset is None:
            return []
        return [_parameter(name, deepcopy(one)) for name, one in filterset.base_filters.items()]


def _parameter(name: str, one: df.Filter) -> dict[str, Any]:
    field = one.field
    schema: dict[str, Any] = {"type": "string"}
    if isinstance(field, forms.BooleanField):
        schema = {"type": "boolean"}
    elif isinstance(field, forms.DateField):
        schema = {"type": "string", "format": "date"}
    elif isinstance(field, CodesField):
        schema = {"type": "array", "items": {"type": "string", "enum": _codes(field)}}
    elif isinstance(field, CodeField):
        schema = {"type": "string", "enum": _codes(field)}
    return {
        "name": name,
        "in": "query",
        "required": field.required,
        "description": str(one.label),
        "schema": schema,
    }


def _codes(field: Any) -> list[str]:
    return [str(code) for code, _word in field.choices if code]


class SortBackend(BaseFilterBackend):
    """``sort`` out of the names that the view allows; applied by the pages, which begin where it says."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        accepted = [sign + name for name in view.sorts for sign in ("", "-")]
        return [
            {"name": "sort", "in": "query", "required": False, "schema": {"type": "string", "enum": accepted}}
        ]


class CountedCursorPagination(CursorPagination):
    """Keyset pages: the last page costs what the first does, and no client can ask for everything at once."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    invalid_cursor_message: Any = gettext_lazy("页标记无效，请从第一页重新开始。")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self.count = queryset.count()
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, RefusedValue) as fault:
            # A cursor of another list, or one made up: its position is no value of the sorted column.
            raise NotFound(self.invalid_cursor_message) from fault

    def get_ordering(self, request: Request, queryset: QuerySet, view: Any) -> tuple[str, ...]:
        asked = request.query_params.get("sort", "") or next(iter(view.sorts))
        path = view.sorts.get(asked.removeprefix("-"))
        if path is None:
            accepted = formats.listed(view.sorts)
            sentence = _("不能按“%(value)s”排序，可选：%(accepted)s，前面加减号为倒序。")
            raise ValidationError(
                {"sort": [sentence % {"value": formats.excerpt(asked), "accepted": accepted}]}
            )
        sign = "-" if asked.startswith("-") else ""
        return (f"{sign}{path}", f"{sign}id") if path != "id" else (f"{sign}id",)

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "count": self.count,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["properties"] = {"count": {"type": "integer"}, **described["properties"]}
        described["required"] = ["count", "results"]
        return described


class RowsView(GenericViewSet):
    """Reads rows of ``model`` within the scope of the user, with the filters of the page of the same rows.

    ``sorts`` maps the names that ``sort`` accepts to columns that are never blank; the first one is the order
    without it.
    """

    model: type[Model]
    sorts: Mapping[str, str] = {"id": "id"}
    pagination_class = CountedCursorPagination
    filter_backends = [PageFilters, SortBackend]

    def get_queryset(self) -> QuerySet:
        rows = self.model._default_manager.all()
        return rows if getattr(self, "swagger_fake_view", False) else self.visible(rows)

    def visible(self, rows: Any) -> QuerySet:
        """The rows of the queryset that the user may see."""
        return rows.visible_to(self.request.user)

    def keys(self, queryset: QuerySet) -> list[int]:
        """Those of a page of the queryset, which an index gives in order."""
        pages: Any = self.paginator
        order = pages.get_ordering(self.request, queryset, self)[0].removeprefix("-")
        page = self.paginate_queryset(queryset.values(*dict.fromkeys(["id", order])))
        return [row["id"] for row in page or ()]

    def rows(self, queryset: QuerySet, serializer: Any) -> list[dict[str, Any]]:
        """A page of the queryset as dictionaries of the serializer's fields.

        First the keys; then the columns of these few rows with their joins.
        """
        keys = self.keys(queryset)
        paths = serializer.paths()
        columns = self.model._base_manager.filter(pk__in=keys).values("pk", *dict.fromkeys(paths.values()))
        by_key = {row["pk"]: row for row in columns}
        return [{name: by_key[key][path] for name, path in paths.items()} for key in keys if key in by_key]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = self.rows(self.filter_queryset(self.get_queryset()), self.serializer_class)
        return self.get_paginated_response(rows)


class DetailView(RowsView):
    """Also reads one row by its natural key; ``detail_serializer_class`` may tell more of it."""

    detail_serializer_class: type[serializers.Serializer] | None = None

    def get_serializer_class(self) -> Any:
        if self.action == "retrieve" and self.detail_serializer_class:
            return self.detail_serializer_class
        return super().get_serializer_class()

    def get_object(self) -> Model:
        key = {self.lookup_field: self.kwargs[self.lookup_url_kwarg or self.lookup_field]}
        return get_object_or_404(self.detailed(self.get_queryset()), **key)

    def detailed(self, queryset: QuerySet) -> QuerySet:
        """The queryset with everything that the page of one row tells."""
        return queryset

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)
