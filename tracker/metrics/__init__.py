"""How good tracks are: the measures of MOTChallenge."""
