"""Pairing of tracks and detections."""
