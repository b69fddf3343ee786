# SPDX-License-Identifier: Apache-2.0
"""The chain of networks with a state at every step, and of committees."""
