"""Rules of the family device."""
