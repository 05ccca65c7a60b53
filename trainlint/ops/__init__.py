"""What library calls do to abstract values: one file per family, each registers its operations on import."""

from __future__ import annotations

import importlib
import pkgutil

for _module in sorted(entry.name for entry in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
