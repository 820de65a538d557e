# SPDX-License-Identifier: Apache-2.0
"""Commands of the host: run them quietly, and when one fails say so in a line with the end of what it printed."""

import subprocess
import sys

from lab.error import LabError

TAIL_LINES = 15


def say(message):
    """Progress, for people; results go to standard output."""
    print(f"lab: {message}", file=sys.stderr, flush=True)


def tail(text, lines=TAIL_LINES):
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-lines:])


def run(*argv, what=None, env=None, cwd=None, text=None, log=None):
    """Run argv and return its standard output; both outputs also go to the file `log`, where given.

    `what` is how a failure is named: "cannot WHAT".  `text` is its standard input.
    """
    argv = [str(word) for word in argv]
    what = what or f"run {argv[0]}"
    try:
        done = subprocess.run(argv, env=env, cwd=cwd, input=text, text=True, errors="replace",
                              stdin=None if text is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT if log else subprocess.PIPE)
    except OSError as error:
        raise LabError(f"cannot {what}: {argv[0]}: {error.strerror}; `lab/lab setup` installs what the lab needs")
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"+ {' '.join(argv)}\n{done.stdout}")
    if done.returncode != 0:
        printed = done.stdout if log else done.stderr or done.stdout
        where = f" (all of it in {log})" if log else ""
        raise LabError(f"cannot {what}: {argv[0]} exited with {done.returncode}{where}\n{tail(printed)}")
    return done.stdout
