"""``python -m flatsort.tools.latent``."""

from flatsort.tools.cli import run
from flatsort.tools.latent import main

if __name__ == "__main__":
    run(main)
