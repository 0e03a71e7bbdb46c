"""What is fitted over the codes of a model: priors to sample from and to compress with."""
