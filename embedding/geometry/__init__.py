"""Metric tensor of a decoder, and paths through its latent space."""
