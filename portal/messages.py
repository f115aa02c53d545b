"""Where messages to the next page wait."""

from functools import cached_property
from typing import Any

from django.contrib.messages.storage.base import BaseStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest


class UnopenedStorage(FallbackStorage):
    """Django's own, which opens cookie and session when somebody has a message or asks for one."""

    def __init__(self, request: HttpRequest) -> None:
        BaseStorage.__init__(self, request)
        self._used_storages: set[BaseStorage] = set()

    @cached_property
    def storages(self) -> list[Any]:
        return [storage(self.request) for storage in self.storage_classes]
