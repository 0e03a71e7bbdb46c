"""Appearance embeddings that are learned without labels."""
