"""What a latent space looks like, as figures of matplotlib."""
