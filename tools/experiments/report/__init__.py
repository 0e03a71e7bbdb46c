"""The HTML report of a benchmark."""

from flatsort.tools.experiments.report.page import write

__all__ = ["write"]
