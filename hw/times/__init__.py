# SPDX-License-Identifier: Apache-2.0
"""Cycles by formula, which RTL equals cycle by cycle, and counted work."""
