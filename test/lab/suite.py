# SPDX-License-Identifier: Apache-2.0
"""Scenarios, and the points that they make: each a thing that is so or not, told as a line of TAP.

A scenario is a function of one Case, with a limit to its time.  It runs in a process of its own, so that one that
hangs can be ended; its points go to that process's standard output as lines of JSON.
"""

import contextlib
import json
import traceback
from dataclasses import dataclass
from pathlib import Path

SCENARIOS = {}
OUT = Path(__file__).resolve().parent.parent / "out"

# The shape of a guest with memory that its kernels leave alone, for the ram store.
RESERVING = {"memory": 2048, "append": "memmap=514M!1022M"}


@dataclass(frozen=True)
class Scenario:
    """A test of one guest."""
    name: str
    limit: int          # seconds
    run: object         # function of a Case
    shape: dict         # of the guest, as lab.machine.Shape has it
    group: str          # run with the others of it: "" is `make test`, another is asked for by --group


def scenario(limit, name=None, group="", **shape):
    """Makes a scenario of a function, of the same name if none is given; it can be used more than once."""
    def register(function):
        chosen = name or function.__name__
        SCENARIOS[chosen] = Scenario(chosen, limit, function, shape, group)
        return function
    return register


class Abandoned(Exception):
    """The scenario cannot go on; why has been told."""


class Skipped(Exception):
    """A point cannot be made here, for a reason that the README gives."""


class Case:
    """What a scenario works with: its guest, and where it tells its points."""

    def __init__(self, chosen, node, wanted):
        self.scenario = chosen
        self.node = node
        self._wanted = wanted           # names of points as given, or () for all
        self.failed = 0

    def wants(self, name):
        """True if points of this name, such as "redis", were asked for."""
        return not self._wanted or name in self._wanted

    @contextlib.contextmanager
    def point(self, name, needed=False):
        """One point: it is made if what is inside raises nothing.  A `needed` one that is not ends the scenario."""
        result, detail = "ok", ""
        try:
            yield
        except Abandoned:
            raise
        except Skipped as reason:
            result, detail = "skip", str(reason)
        except Exception as error:
            result, detail = "not ok", self._explain(error, needed)
        self._tell(name, result, detail)
        if result == "not ok" and needed:
            raise Abandoned

    def _explain(self, error, needed):
        """What went wrong; the first time, and when nothing goes on, with all that can be seen of the guest."""
        plain = isinstance(error, (AssertionError, RuntimeError)) or type(error).__module__.startswith("lab")
        text = str(error) if plain and str(error) else "".join(traceback.format_exception(error)[-4:])
        self.failed += 1
        return text if self.failed > 1 and not needed else f"{text}\n{self.node.evidence()}"

    def _tell(self, name, result, detail):
        print(json.dumps({"name": f"{self.scenario.name}/{name}", "result": result, "detail": detail}), flush=True)


def expect(condition, message):
    """As assert, whatever Python's options."""
    if not condition:
        raise AssertionError(message)
