# SPDX-License-Identifier: Apache-2.0
"""Payload of byte streams that know where a message ends."""

from amaranth.lib import data

__all__ = ["ByteBeat"]


class ByteBeat(data.Struct):
    """One byte of a message.

    Members: ``data`` (the byte), ``last`` (the last byte of its message).
    """

    data: 8
    last: 1
