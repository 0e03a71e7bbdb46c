"""Training of latent models: one loop for every kind of model."""
