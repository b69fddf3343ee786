# SPDX-License-Identifier: Apache-2.0
"""Weights of one bit times spikes: a lane, and the array of lanes with its weight memory."""
