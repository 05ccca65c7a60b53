"""Rules of the family learning-rate."""
