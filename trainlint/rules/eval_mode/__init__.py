"""Rules of the family eval-mode."""
