"""Priors over discrete codes, to sample from and to compress with."""
