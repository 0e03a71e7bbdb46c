"""``python -m flatsort VERB``."""

from flatsort.tools.__main__ import main

if __name__ == "__main__":
    main()
