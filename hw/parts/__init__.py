# SPDX-License-Identifier: Apache-2.0
"""Blocks and shapes that several chains are made of: memories, buffers, words, streams."""
