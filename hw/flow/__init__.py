# SPDX-License-Identifier: Apache-2.0
"""From a design to a bitstream with open tools, and what the tools report."""
