"""One source from opening to written results: open a run, track it, crop it, embed it."""
