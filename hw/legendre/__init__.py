# SPDX-License-Identifier: Apache-2.0
"""Series in, through a Legendre memory, spike words out; the loop of the recurrent LMU."""
