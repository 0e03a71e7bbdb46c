"""Pure functions of tensors, one idea a file."""
