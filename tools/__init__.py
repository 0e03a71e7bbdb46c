"""One file a verb: parse, build, call, print."""
