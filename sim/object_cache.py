# SPDX-License-Identifier: Apache-2.0
"""Compiler wrapper that keeps the objects of Verilator's own library.

``python object_cache.py FOLDER CXX ARGUMENTS``: the library is the same in every build, and
compiling it takes longer than compiling a small design. Other sources are compiled as they are.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Compile, or copy the object that was compiled with the same arguments."""
    folder, command = Path(arguments[0]), arguments[1:]
    source = Path(command[-1])
    is_library = source.name.startswith("verilated") and source.is_absolute()
    if not (is_library and "-c" in command and "-o" in command):
        return subprocess.run(command, check=False).returncode
    place = command.index("-o") + 1
    target = Path(command[place])
    compiler = Path(shutil.which(command[0]) or command[0]).stat()
    written = (source.stat().st_mtime_ns, compiler.st_mtime_ns, compiler.st_size)
    text = repr((command[:place], command[place + 1 :], written))
    kept = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.o"
    if not kept.is_file():
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
        folder.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
        shutil.copyfile(target, part)
        part.replace(kept)
    else:
        shutil.copyfile(kept, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
