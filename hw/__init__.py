# SPDX-License-Identifier: Apache-2.0
"""Gateware, boards, Verilog export, bitstream build, cycle and resource estimates; no torch."""
