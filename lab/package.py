# SPDX-License-Identifier: Apache-2.0
"""segue's Debian package, built of the working tree in a chroot of Debian 13."""

import os
import shutil

from lab import cache, chroot
from lab.command import run, say, tail
from lab.error import LabError

# What debian/control asks for comes on top.
BUILD_PACKAGES = ("build-essential", "debhelper", "meson", "ccache")
CONTROL = cache.TREE / "debian/control"
# How many builds are kept.
KEPT = 4
# Changes to these make no other package.
NOT_PACKAGED = ("lab/", "bench/", ".")


def available():
    """True when the tree can be built into a package."""
    return CONTROL.exists()


def _copy_tree(place):
    """Copy to `place` what is or could be under version control, as it is now; returns what names the copy."""
    listed = run("git", "-C", cache.TREE, "ls-files", "-z", "--cached", "--others", "--exclude-standard",
                 what="list the working tree")
    names = sorted(name for name in set(listed.split("\0")) if name and os.path.lexists(cache.TREE / name))
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    run("cp", "-a", "--parents", "-t", place, *names, cwd=cache.TREE, what="copy the working tree")
    packaged = [name for name in names if not name.startswith(NOT_PACKAGED)]
    return cache.digest(*(part for name in packaged for part in (name, place / name)))


def build_root():
    """The directory of the chroot that packages are built in: a Debian 13 with every library that they need."""
    return cache.directory("build") / f"{chroot.RELEASE}-{cache.digest(' '.join(BUILD_PACKAGES))}"


def _build_chroot(log):
    """The chroot with all that a build needs; made, or given what debian/control newly asks for, when out of date."""
    path = build_root()
    if not path.exists():
        say("making the build chroot")
        shutil.rmtree(path.parent)
        tree = chroot.create(cache.directory("build") / "new", log)
        tree.apt("update")
        tree.apt("install", *BUILD_PACKAGES)
        tree.path.rename(path)
    tree = chroot.Chroot(path, log)
    stamp = path / "build-depends"
    if available():
        asked = cache.digest(CONTROL)
        if not stamp.exists() or stamp.read_text(encoding="ascii") != asked:
            say("installing what debian/control asks for")
            shutil.rmtree(path / "depends", ignore_errors=True)
            (path / "depends/debian").mkdir(parents=True)
            shutil.copyfile(CONTROL, path / "depends/debian/control")
            tree.apt("update")
            tree.apt("build-dep", "/depends")
            stamp.write_text(asked, encoding="ascii")
    return tree


def prepare():
    """Make the build chroot."""
    with cache.lock("package build"):
        _build_chroot(_log())


def _log():
    log = cache.directory("log") / "package.log"
    log.unlink(missing_ok=True)
    return log


def build():
    """The path of segue_*.deb for the working tree as it is; built unless that was done before."""
    if not available():
        raise LabError(f"cannot build segue's package: {CONTROL} does not exist yet")
    with cache.lock("package build"):
        log = _log()
        tree = _build_chroot(log)
        results = cache.directory("debs")
        finished = results / _copy_tree(tree.path / "build/segue")
        if not finished.exists():
            _build(tree, finished)
            for old in sorted(results.glob("[0-9a-f]*"), key=os.path.getmtime)[:-KEPT]:
                shutil.rmtree(old)
        cache.write_json(results / "current.json", finished.name)
        return _segue(finished)


def current():
    """The path of the package built last, or None where none was."""
    name = cache.read_json(cache.directory("debs") / "current.json")
    return _segue(cache.directory("debs", name)) if name else None


def depends(deb):
    """What the package `deb` asks apt for, as one line."""
    return " ".join(run("dpkg-deb", "--field", deb, "Depends", what=f"read {deb.name}").split())


def _segue(directory):
    packages = sorted(path for path in directory.glob("segue_*.deb"))
    if not packages:
        raise LabError(f"the build made no segue_*.deb: {', '.join(path.name for path in directory.iterdir())}")
    return packages[0]


def _build(tree, finished):
    """Build the sources copied into the chroot `tree`, and put the packages into `finished`."""
    say("building segue's package")
    place = tree.path / "build"
    for old in place.glob("*.*deb"):
        old.unlink()
    environment = {"DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}", "CCACHE_DIR": "/var/cache/ccache",
                   "PATH": f"/usr/lib/ccache:{chroot.ENVIRONMENT['PATH']}"}
    try:
        tree.run("dpkg-buildpackage", "-b", "-us", "-uc", cwd="/build/segue", env=environment,
                 what="build segue's package")
    except LabError as error:
        complaints = _complaints(tree.log)
        if not complaints:
            raise
        raise LabError(f"{str(error).partition(chr(10))[0]}\n{complaints}") from None
    fresh = finished.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for file in place.glob("*.deb"):
        if "-dbgsym_" not in file.name:
            shutil.copyfile(file, fresh / file.name)
    fresh.rename(finished)


def _complaints(log):
    """The compiler's errors in a log, of which the end seldom shows them; "" if there are none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return tail("\n".join(line for line in lines if " error: " in line))
