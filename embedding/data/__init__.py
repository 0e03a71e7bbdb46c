"""Sample sets: reading, writing, augmentation, built-in data sets."""
