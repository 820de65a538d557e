# SPDX-License-Identifier: Apache-2.0
"""What is kept running in a guest while it is swapped: each sets itself up, and tells afterwards whether it lives."""
