"""Benchmarks, tuning, re-identification, and tables of their results."""
