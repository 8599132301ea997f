# SPDX-License-Identifier: Apache-2.0
"""The demo, from its command line to its exit status."""

import sys
from collections.abc import Sequence

from examples.speech_demo.command_line import parse
from examples.speech_demo.plan import CannotRun, make_plan
from examples.speech_demo.run.arm_process import ArmFailed

DONE, FAILED, MISSING = 0, 1, 3


def main(arguments: Sequence[str]) -> int:
    """Runs the demo and returns its exit status; `--help` lists them."""
    options = parse(arguments)
    try:
        plan = make_plan(options)
        for each in plan.missing:
            print(each, file=sys.stderr)
        if options.json:
            from examples.speech_demo.output.for_programs import run_for_programs as run
        else:
            from examples.speech_demo.output.for_people import run_for_people as run
        run(options, plan)
    except CannotRun as error:
        print(error, file=sys.stderr)
        return MISSING
    except ArmFailed as error:
        print(f"speech_demo: {error}", file=sys.stderr)
        return FAILED
    return DONE
