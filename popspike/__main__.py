# SPDX-License-Identifier: Apache-2.0
"""``python -m popspike`` is the command `popspike`."""

from popspike.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
