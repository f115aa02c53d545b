import logging


class OneLineFormatter(logging.Formatter):
    """One record, one line: tracebacks are folded, so that no record can pretend to be another."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\r", "").replace("\n", " ⏎ ")
