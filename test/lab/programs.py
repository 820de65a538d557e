# SPDX-License-Identifier: Apache-2.0
"""The programs under programs/, or another folder: compiled on this machine, static, so that they run in any guest."""

import os
from pathlib import Path

from lab import cache
from lab.command import run

SOURCES = Path(__file__).resolve().parent / "programs"
FLAGS = ["-std=gnu17", "-O1", "-g", "-static", "-pthread", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]


def names(sources):
    return sorted(path.stem for path in sources.iterdir() if path.suffix == ".c" or path.is_dir())


def build(sources=SOURCES):
    """The directory with all of them, compiled; made unless it is there for these sources."""
    target = cache.directory("programs") / cache.digest(sources, *FLAGS)
    with cache.lock("programs"):
        if target.exists():
            return target
        fresh = target.with_suffix(".new")
        fresh.mkdir(exist_ok=True)
        for name in names(sources):
            folder = sources / name
            files = sorted(folder.glob("*.c")) if folder.is_dir() else [folder.with_suffix(".c")]
            run(os.environ.get("CC", "gcc"), *FLAGS, "-o", fresh / name, *files, "-lutil", what=f"compile {name}")
        fresh.rename(target)
    return target
