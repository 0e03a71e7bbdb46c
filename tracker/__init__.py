"""Tracking by detection on arrays: numpy, scipy and OpenCV, never torch."""
