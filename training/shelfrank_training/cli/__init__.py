"""The command ``shelfrank``: data on stdout, everything else on stderr, exit 0, 1 or 2.

Each command is a thin function over one public function, in a module of its own that is imported
when the command is called: ``--help`` must not pay for scikit-learn.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without the extra, say which one is missing and exit 1."""
    try:
        from shelfrank_training.cli.main import run
    except ImportError as error:
        print(f"error: the command line needs the package {error.name}", file=sys.stderr)
        print("hint: in the source folder: pip install '.[training]'", file=sys.stderr)
        sys.exit(1)
    sys.exit(run(sys.argv[1:]))
