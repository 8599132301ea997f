# SPDX-License-Identifier: Apache-2.0
"""`python -m remotemedia`: the program `remotemedia`."""

import sys

from remotemedia.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
