# SPDX-License-Identifier: Apache-2.0
"""One verb a file. Heavy packages are imported inside the functions: `--help` stays quick."""
