"""Samples to learn from."""
