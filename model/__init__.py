# SPDX-License-Identifier: Apache-2.0
"""Network description, golden model, data sets, training rules and shipped networks."""
