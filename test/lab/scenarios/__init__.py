# SPDX-License-Identifier: Apache-2.0
"""The scenarios, in the order in which they are begun: the longest first."""

from scenarios import (swaps, returns, roots, memory, arriving, fleet, faults, boots, refusals,  # noqa: F401
                       mistakes, package, rehearsal, endurance, matrix, rollouts)
