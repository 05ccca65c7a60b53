"""`python -m trainlint`."""

from __future__ import annotations

import sys

from trainlint.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
