"""Faults that users met, each with the right result: one file a kind, small inputs of their own."""
