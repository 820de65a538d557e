# SPDX-License-Identifier: Apache-2.0
"""The cache: where everything lies that the lab makes, and what guards it against two labs at once."""

import contextlib
import fcntl
import hashlib
import json
import os
from pathlib import Path

from lab.command import say
from lab.error import LabError

LAB = Path(__file__).resolve().parent
TREE = LAB.parent
# A socket's name has at most 107 bytes, and ssh adds 17 of its own to one in run/NAME/.
LONGEST_ROOT = 70


def root():
    """The cache directory, made if need be."""
    chosen = os.environ.get("SEGUE_LAB_CACHE")
    if chosen:
        path = Path(chosen).resolve()
    else:
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segue-lab"
    if len(os.fsencode(path)) > LONGEST_ROOT:
        raise LabError(f"{path} is too long a name: sockets lie in the cache; set SEGUE_LAB_CACHE to a shorter one")
    path.mkdir(parents=True, exist_ok=True)
    return path


def directory(*names):
    path = root().joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    return path


def instance():
    """What tells this lab's namespaces from those of a lab with another cache: "" for the default cache."""
    if not os.environ.get("SEGUE_LAB_CACHE"):
        return ""
    return "-" + digest(str(root()))[:6]


@contextlib.contextmanager
def lock(name, shared=False):
    """Hold the lock `name` of this cache; waits, and says so, while another process holds it."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with open(directory("lock") / name, "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that works on the {name}")
            fcntl.flock(file, kind)
        yield


def digest(*parts):
    """A short name for the contents of `parts`: strings, bytes, files, or directories with all that is in them."""
    sum_ = hashlib.sha256()

    def add(data):
        sum_.update(len(data).to_bytes(8, "big"))
        sum_.update(data)

    def add_path(path):
        if path.is_symlink():
            add(os.readlink(path).encode())
        elif path.is_dir():
            for child in sorted(path.iterdir()):
                if child.name != "__pycache__":
                    add(child.name.encode())
                    add_path(child)
        elif path.exists():
            add(b"%o" % (path.stat().st_mode & 0o777))
            add(path.read_bytes())
        else:
            add(b"absent")

    for part in parts:
        if isinstance(part, Path):
            add_path(part)
        else:
            add(part if isinstance(part, bytes) else str(part).encode())
    return sum_.hexdigest()[:16]


def read_json(path, default=None):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return default


def write_json(path, value):
    """Replace `path` in one step."""
    fresh = Path(f"{path}.new")
    fresh.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)
