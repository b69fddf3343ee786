# SPDX-License-Identifier: Apache-2.0
"""Encoders: pixels and events in, spike words of every step out."""
