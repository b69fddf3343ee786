# SPDX-License-Identifier: Apache-2.0
"""Constructors that must refuse their arguments."""

from typing import Any

import pytest
from amaranth.lib import wiring

__all__ = ["refused"]


def refused(kind: type[wiring.Component], error: type[Exception], **arguments: Any) -> str:
    """Text of the error that a component's constructor raises.

    The object that is not finished does not count as gateware that somebody forgot to use.
    """
    instance = kind.__new__(kind)
    instance._MustUse__silence = True
    with pytest.raises(error) as raised:
        instance.__init__(**arguments)
    return str(raised.value)
