"""Writes train.ipynb of the workspace from train.py: python3 make_notebook.py SOURCE TARGET."""

import json
import sys

source, target = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = file.read()
cells = [part.strip("\n") + "\n" for part in text.split("\n\n\n")]
notebook = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"c{n}",
            "metadata": {},
            "outputs": [],
            "source": cell.splitlines(True),
        }
        for n, cell in enumerate(cells)
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}
with open(target, "w", encoding="utf-8") as file:
    json.dump(notebook, file, indent=1)
