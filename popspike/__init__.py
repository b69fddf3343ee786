# SPDX-License-Identifier: Apache-2.0
"""The command line: it composes, it computes nothing."""
