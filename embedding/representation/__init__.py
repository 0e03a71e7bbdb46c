"""What a representation is good for: disentangling, few labels, clusters, the true posterior."""
