# SPDX-License-Identifier: Apache-2.0
"""The commands of the page about the wire print what the page says."""

import re
import subprocess
from pathlib import Path

from tests.python.wire.test_http_calls import HTTP
from tests.python.wire.wire_server import wire_server

PAGE = Path(__file__).parents[3] / "docs/wire.md"


def test_the_commands_of_the_page_print_what_it_says() -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        steps = re.findall(r"^\$ (.*(?:\n  .*)*)\n((?:[^$].*\n)+)", block, re.MULTILINE)
        assert len(steps) == block.count("$ curl")
        for command, printed in steps:
            there = command.replace("http://127.0.0.1:8000", server.endpoint)
            ran = subprocess.run(["bash", "-c", there], capture_output=True, text=True, check=True)
            assert ran.stdout.rstrip("\n") == printed.rstrip("\n")
