"""Rules of the family batch."""
