# SPDX-License-Identifier: Apache-2.0
"""The log on standard error: lines for people, or a JSON object each. The same lines as remotemedia-model-worker's."""

from __future__ import annotations

import datetime
import json
import logging
import sys

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")


def start_log(log_format: str, level: str) -> None:
    """From now on what this process logs is written, also by the model's libraries, and Python's warnings with it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if log_format == "json" else _TextLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)


class _TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created).isoformat(" ", "milliseconds")
        return f"{moment} {_level(record)}: {_message(self, record)}"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created).astimezone().isoformat("T", "milliseconds")
        line = {"time": moment, "level": _level(record), "message": _message(self, record)}
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _level(record: logging.LogRecord) -> str:
    return {"CRITICAL": "error"}.get(record.levelname, record.levelname.lower())


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    message = record.getMessage()
    return f"{message}\n{formatter.formatException(record.exc_info)}" if record.exc_info else message
