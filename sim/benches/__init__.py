# SPDX-License-Identifier: Apache-2.0
"""cocotb benches; they run inside a simulator, started by ``sim.simulator``."""
