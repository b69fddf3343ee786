# SPDX-License-Identifier: Apache-2.0
"""Data sets: found, checked, downloaded if need be, split always the same way."""

from model.data.dataset import PARTS, Dataset, names, open_dataset
from model.data.errors import DataError
from model.data.samples import Samples
from model.data.speech import SpeechFeatures

__all__ = [
    "PARTS",
    "DataError",
    "Dataset",
    "Samples",
    "SpeechFeatures",
    "names",
    "open_dataset",
]
