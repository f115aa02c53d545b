"""The filesystem broker under readers and writers that work at the same time."""

import multiprocessing
from pathlib import Path

import pytest
from kombu import Connection
from kombu.simple import SimpleQueue

import portal.broker  # noqa: F401  (registers the transport)

pytestmark = pytest.mark.any_database

MESSAGES = 150


def connect(folder: str) -> Connection:
    options = {
        "data_folder_in": f"{folder}/messages",
        "data_folder_out": f"{folder}/messages",
        "control_folder": f"{folder}/control",
        "polling_interval": 0.001,
    }
    return Connection("filesystem://", transport_options=options)


def write(folder: str, writer: int) -> None:
    with connect(folder) as connection, SimpleQueue(connection, "jobs") as queue:
        for number in range(MESSAGES):
            queue.put(writer * MESSAGES + number, serializer="json")


def read(folder: str, results: "multiprocessing.SimpleQueue[list[int] | str]") -> None:
    received = []
    try:
        with connect(folder) as connection, SimpleQueue(connection, "jobs") as queue:
            while True:
                try:
                    message = queue.get(timeout=3)
                except queue.Empty:
                    break
                message.ack()
                received.append(message.payload)
        results.put(received)
    except Exception as error:
        results.put(repr(error))


@pytest.mark.worker
def test_every_message_is_read_once_and_whole(tmp_path: Path) -> None:
    (tmp_path / "messages").mkdir()
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    folder = str(tmp_path)
    processes = [context.Process(target=write, args=(folder, writer)) for writer in range(2)]
    processes += [context.Process(target=read, args=(folder, results)) for _ in range(2)]
    for process in processes:
        process.start()
    received = [results.get() for _ in range(2)]
    for process in processes:
        process.join()
    assert all(isinstance(part, list) for part in received), received
    assert sorted(number for part in received for number in part) == list(range(2 * MESSAGES))
    assert list((tmp_path / "messages").iterdir()) == []


def test_messages_come_in_the_order_of_sending(tmp_path: Path) -> None:
    (tmp_path / "messages").mkdir()
    with connect(str(tmp_path)) as connection, SimpleQueue(connection, "jobs") as queue:
        for number in range(5):
            queue.put(number, serializer="json")
        assert [queue.get(timeout=1).payload for _ in range(5)] == list(range(5))
