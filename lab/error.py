# SPDX-License-Identifier: Apache-2.0
"""The one kind of failure that the lab reports: a line that names the thing and the way out."""


class LabError(Exception):
    """Something the lab was asked for could not be done; str() is the whole message."""


class TimedOut(LabError):
    """Something waited for did not happen within its limit."""
