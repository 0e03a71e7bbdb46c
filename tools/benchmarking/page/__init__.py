"""``report.html``: everything that a benchmark found as one page that needs no network."""

from tools.benchmarking.page.document import write

__all__ = ["write"]
