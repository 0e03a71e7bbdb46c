"""``report.html``: everything that a benchmark found as one page that needs no network."""

from flatsort.tools.experiments.report.document import write

__all__ = ["write"]
