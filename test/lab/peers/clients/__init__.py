# SPDX-License-Identifier: Apache-2.0
"""How load.py talks to each program: only as much of its protocol as that takes."""
