# SPDX-License-Identifier: Apache-2.0
"""The lab: virtual machines to try segue in.  See README.md."""
