# SPDX-License-Identifier: Apache-2.0
"""The only place where vendor cells stand; each has a portable twin."""
