"""Association of tracks and detections: costs, gates, stages, assignment, explanations."""
