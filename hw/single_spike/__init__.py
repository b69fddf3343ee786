# SPDX-License-Identifier: Apache-2.0
"""The chain of networks whose neurons fire at most once."""
