# SPDX-License-Identifier: Apache-2.0
"""What host and gateware agree upon: register map, device image, words of the design."""
