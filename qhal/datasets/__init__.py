"""Data sets for training: embedded, found on the machine, fetched, or the user's own files.

:func:`load_dataset` is the one entrance; it answers with a :class:`Dataset`. The modules behind it:
``idx`` and ``arrays`` read files, ``fashion_mnist`` knows where that set is to be had, ``loading``
knows the names, ``dataset`` turns labelled samples into features within [0, 1] and class indices.
"""

from __future__ import annotations

from qhal.datasets.dataset import Dataset
from qhal.datasets.loading import load_dataset

__all__ = ["Dataset", "load_dataset"]
