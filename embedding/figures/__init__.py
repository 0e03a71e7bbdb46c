"""Figures of latent spaces, with matplotlib."""
