"""Errors of use: what a person can mend, told in one line that names what, where and the allowed values."""

from __future__ import annotations


class UsageError(Exception):
    """A wrong option, path or revision. The message is one complete line; the command line exits with 2."""


class ConfigError(UsageError):
    """A configuration file that cannot be used. The message starts with the file's path and, where known, the line."""
