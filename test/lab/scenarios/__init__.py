# SPDX-License-Identifier: Apache-2.0
"""The scenarios, in the order in which they are begun: the longest first."""

from scenarios import (swaps, returns, roots, memory, arriving, fleet, faults, refusals, mistakes,  # noqa: F401
                       package, endurance)
