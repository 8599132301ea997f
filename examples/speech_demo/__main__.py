# SPDX-License-Identifier: Apache-2.0
"""The program: `python -m examples.speech_demo`."""

import os
import sys

from examples.speech_demo.interrupts import Interrupted, ignore_signals, unwind_on_signals


def run() -> int:
    """Runs the demo to its exit status, also when it is interrupted or nobody reads its output any more."""
    unwind_on_signals()
    try:
        from examples.speech_demo.demo import main

        status = main(sys.argv[1:])
        sys.stdout.flush()
    except Interrupted as interrupted:
        ignore_signals()
        print(f"ended by {interrupted}", file=sys.stderr)
        return interrupted.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    ignore_signals()
    return status


if __name__ == "__main__":
    sys.exit(run())
