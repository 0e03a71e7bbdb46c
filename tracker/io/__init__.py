"""The edges: files, cameras, results."""
