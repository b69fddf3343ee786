# SPDX-License-Identifier: Apache-2.0
"""What lives beside the gateware: device image, link, host driver; no torch."""
