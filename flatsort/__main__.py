"""``python -m flatsort VERB``, and the console script."""

from __future__ import annotations

import signal


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while all is imported, Ctrl-C just ends the process, without a trace
    from flatsort.tools.__main__ import main as run_verb

    run_verb()


if __name__ == "__main__":
    main()
