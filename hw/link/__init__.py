# SPDX-License-Identifier: Apache-2.0
"""Bytes of a link to and from the accelerator: framing, requests, replies, UART."""
