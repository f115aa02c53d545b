"""Kombu's filesystem transport with each step made atomic.

Kombu 5.7 writes a message in place and moves it through the temporary folder to read it, so a worker can
see half a message, and the JSON error that follows ends the worker. Here a message, like the table of
bindings, appears and goes by a rename inside one folder.
"""

import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        name = f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg"
        self._write(Path(self.data_folder_out), name, message)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(path.name for path in folder.iterdir()):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f".{name}.taken"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:  # another worker was quicker
                continue
            payload = loads(taken.read_text())
            taken.unlink()
            return payload
        raise Empty()

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        file = self._exchange_file(exchange)
        self.control_folder.mkdir(exist_ok=True)
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with open(self.control_folder / ".lock", "w") as guard:
            filesystem.lock(guard, filesystem.LOCK_EX)
            bindings = self.get_table(exchange)
            if binding not in bindings:
                self._write(self.control_folder, file.name, [binding, *bindings])

    @staticmethod
    def _write(folder: Path, name: str, content: Any) -> None:
        draft = folder / f".{uuid.uuid4()}.part"
        draft.write_text(dumps(content))
        draft.rename(folder / name)


class Transport(filesystem.Transport):
    Channel = Channel


TRANSPORT_ALIASES["filesystem"] = "portal.broker:Transport"
