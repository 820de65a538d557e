# SPDX-License-Identifier: Apache-2.0
"""What is common to all that is kept."""

from suite import expect


class Kept:
    """One thing that is carried across swaps.

    install() tells the node what files and units it wants; start() sets up the rest; prepare() comes just before each swap, check() after it; end() when all is over.
    """
    name = ""
    units = ()          # those of systemd that it consists of

    def __init__(self, node):
        self.node = node
        self._before = {}

    def install(self):
        pass

    def start(self):
        raise NotImplementedError

    def prepare(self):
        pass

    def remember(self, units):
        """What systemd said of its units before the swap."""
        self._before = {name: units[name] for name in self.units}

    def check_units(self, units):
        """They are to systemd what they were, and nothing was started anew."""
        for name in self.units:
            now, before = units.get(name, {}), self._before[name]
            differing = {key: f"{before[key]!r} -> {now.get(key)!r}" for key in before if now.get(key) != before[key]}
            expect(not differing, f"systemd has {name} otherwise than before: {differing}")

    def check(self):
        raise NotImplementedError

    def end(self):
        pass


def expect_peer(state, **numbers):
    """No error, and each number as given."""
    expect(not state.get("error"), f"the peer tells: {state.get('error')} ({state})")
    for key, number in numbers.items():
        expect(state[key] == number, f"the peer tells {key}={state[key]}, not {number}: {state}")
