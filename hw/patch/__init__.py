# SPDX-License-Identifier: Apache-2.0
"""Another network into a finished bitstream, without place and route."""
