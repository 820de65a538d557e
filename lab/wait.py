# SPDX-License-Identifier: Apache-2.0
"""Waiting: for something to become true, or for a process to end, never longer than a limit."""

import os
import select
import time

from lab.error import TimedOut

INTERVAL = 0.1


def until(what, check, limit, context=None):
    """Call check() until it returns something true, and return that.

    After `limit` seconds raise TimedOut naming `what`, followed by context(), where given, which says how things
    stood.  What check() raises goes through: it means that waiting on is pointless.
    """
    deadline = time.monotonic() + limit
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() >= deadline:
            detail = context() if context else ""
            raise TimedOut(f"waited {limit:g} s in vain for {what}" + (f"\n{detail}" if detail else ""))
        select.select([], [], [], INTERVAL)


def process_end(pid, limit):
    """True when process `pid` has ended, waiting for up to `limit` seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], limit)[0])
    finally:
        os.close(descriptor)
