"""Training of latent models: a loop that knows no model."""
