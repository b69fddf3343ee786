# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there. Torch-free: hw and firmware write theirs so, too."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name to write to, which becomes the path at the end: a kill leaves no partial file.

    Missing folders are made. If the block raises, what it wrote is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
