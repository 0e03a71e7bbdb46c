"""Input and output: video, cameras, MOTChallenge files, results."""
