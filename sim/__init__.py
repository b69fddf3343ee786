# SPDX-License-Identifier: Apache-2.0
"""Simulators, cocotb benches, whole-test-set runs, virtual board."""
