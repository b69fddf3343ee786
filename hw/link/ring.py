# SPDX-License-Identifier: Apache-2.0
"""Ring memories of the link."""

__all__ = ["UNCHECKED"]

#: Attribute of a memory whose rows are never read in the cycle in which they are written: Yosys
#: spends no logic on what such a read would give.
UNCHECKED = {"no_rw_check": 1}
