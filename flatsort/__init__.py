"""Multi-object tracking by position and by an appearance embedding that is learned without labels."""
