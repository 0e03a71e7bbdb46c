"""``python -m tools.latent``."""

from tools.cli import run
from tools.latent import main

if __name__ == "__main__":
    run(main)
