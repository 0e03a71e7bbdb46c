"""Every reader against damaged and hostile content: ``python -m tests.fuzz --help``."""
