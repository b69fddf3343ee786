# SPDX-License-Identifier: Apache-2.0
"""The way of a network from the link into registers and memories of the core."""
