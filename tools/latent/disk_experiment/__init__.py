"""The disk experiment: how autoencoders code the size and the position of a shape (Newson et al., 2020)."""
