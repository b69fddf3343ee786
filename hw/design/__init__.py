# SPDX-License-Identifier: Apache-2.0
"""What a gateware can hold and how it is folded: every width, depth and row follows from it."""
