# SPDX-License-Identifier: Apache-2.0
"""Which fold a chip has room for, and estimates of what a design takes."""
