"""Firms that file over HTTP, all at once, each over a connection of its own that stays open.

python bench/filing_clients.py PORT SECONDS PLAN: the plan is a JSON file with the requests of one filing and,
for each client, its headers and firm. KEY stands for the key of the filing, which the client makes up, and
FIRM for the credit code of the firm. Prints what was answered. Standard
library only: it shares the machine with the server, and should take little of it.
"""

import http.client
import json
import sys
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

ANSWERED = (201, 204, 302)


class Firm(threading.Thread):
    def __init__(self, port: int, until: float, requests: list[dict[str, str]], told: dict[str, Any]) -> None:
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.until, self.requests, self.headers = until, requests, told["headers"]
        self.firm = told["firm"]
        self.filed: list[str] = []
        self.answers: Counter[str] = Counter()
        self.seconds: list[float] = []

    def run(self) -> None:
        while time.monotonic() < self.until:
            key = str(uuid.uuid4())
            if all(self.ask(request, key) for request in self.requests):
                self.filed.append(key)

    def ask(self, request: dict[str, str], key: str) -> bool:
        path, body = (
            request[name].replace("KEY", key).replace("FIRM", self.firm) for name in ("path", "body")
        )
        started = time.monotonic()
        try:
            self.connection.request("POST", path, body.encode(), self.headers)
            response = self.connection.getresponse()
            response.read()
            status, leads_to = response.status, response.headers.get("Location", "")
        except OSError as error:
            self.connection.close()
            status, leads_to = type(error).__name__, ""
        self.seconds.append(time.monotonic() - started)
        self.answers[str(status)] += 1
        return status in ANSWERED and request["leads_to"].replace("KEY", key) in leads_to


def main(port: str, seconds: str, plan: str) -> None:
    told = json.loads(Path(plan).read_text())
    started = time.monotonic()
    firms = [Firm(int(port), started + float(seconds), told["requests"], it) for it in told["clients"]]
    for firm in firms:
        firm.start()
    for firm in firms:
        firm.join()
    took = sorted(second for firm in firms for second in firm.seconds)
    answers: Counter[str] = sum((firm.answers for firm in firms), Counter())
    print(
        json.dumps(
            {
                "filed": [key for firm in firms for key in firm.filed],
                "answers": answers,
                "requests": sum(answers.values()),
                "seconds": time.monotonic() - started,
                "median": took[len(took) // 2],
                "p95": took[len(took) * 95 // 100],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
