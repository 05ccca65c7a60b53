"""Runs in the person's interpreter, as a process of its own, and is the only importer of torch.

It needs nothing of the rest of trainlint: the launcher (`project/measuring.py`) starts this folder with a specification
and reads JSON lines from a descriptor of its own. `__main__.py` says how it starts.
"""
