# SPDX-License-Identifier: Apache-2.0
"""Networks in the board's SPI flash, copied into the accelerator at power-up."""
