# SPDX-License-Identifier: Apache-2.0
"""The one error that data sets raise."""

__all__ = ["DataError"]


class DataError(Exception):
    """A data set that is missing, damaged or of another form; the text says what to do."""
