# SPDX-License-Identifier: Apache-2.0
"""The package mirror: taken from this machine's own apt sources, and asked for other suites than the machine's."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.error import LabError

APT = Path("/etc/apt")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TRANSPORT_SETTINGS = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until",
                      "Acquire::Check-Date")


@dataclass(frozen=True)
class Source:
    uri: str
    suite: str
    components: tuple


def _parse_list(text):
    """One-line format: deb [OPTIONS] URI SUITE COMPONENT..."""
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line.strip())
        if match:
            uri, suite, components = match.groups()
            yield Source(uri.rstrip("/"), suite, tuple(components.split()))


def _parse_deb822(text):
    """Stanzas of "Field: values", continued by indented lines."""
    text = re.sub(r"(?m)^#.*\n?", "", text)
    for stanza in re.split(r"\n\s*\n", text):
        fields = {}
        for match in re.finditer(r"(?m)^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", stanza):
            fields[match[1].lower()] = match[2].split()
        if "deb" not in fields.get("types", ()) or fields.get("enabled") == ["no"]:
            continue
        for uri in fields.get("uris", ()):
            for suite in fields.get("suites", ()):
                yield Source(uri.rstrip("/"), suite, tuple(fields.get("components", ())))


def machine_sources(apt=APT):
    """Every binary package source that this machine's apt is configured with, but for the lab's own."""
    found = []
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if not path.is_file() or path.name == "segue-lab.sources":
            continue
        parse = {".list": _parse_list, ".sources": _parse_deb822}.get(path.suffix)
        if parse:
            found.extend(parse(path.read_text(encoding="utf-8", errors="replace")))
    return [source for source in found if "main" in source.components and not source.uri.startswith("cdrom")]


def codename():
    """The running machine's release, such as "bookworm"."""
    match = re.search(r"(?m)^VERSION_CODENAME=\"?(\w+)", Path("/etc/os-release").read_text(encoding="utf-8"))
    return match[1] if match else "sid"


@dataclass(frozen=True)
class Mirror:
    main: str
    security: str | None

    def sources(self, release, *more):
        """One-line apt sources for `release` with its updates, and for the suites named in `more`.

        A suite that is not a stable release may be past its validity date on a mirror that lags behind.
        """
        lines = [f"deb {self.main} {suite} main" for suite in (release, f"{release}-updates")]
        if self.security:
            lines.append(f"deb {self.security} {release}-security main")
        for suite in more:
            lines.append(f"deb [check-valid-until=no] {self.main} {suite} main")
        return "".join(f"{line}\n" for line in lines)


def find():
    """The mirror that this machine gets Debian itself from."""
    release = codename()
    sources = machine_sources()
    suites = {}
    for source in sources:
        suites.setdefault(source.uri, set()).add(source.suite)

    def likely(uri):
        return (f"{release}-updates" in suites[uri], "debian" in urlsplit(uri).path)

    mains = [source.uri for source in sources if source.suite in (release, "stable", "testing", "sid", "unstable")]
    if not mains:
        raise LabError(f"no source of Debian's main packages for {release} in {APT}; add one as for any Debian")
    security = [source.uri for source in sources if source.suite in (f"{release}-security", "stable-security")]
    return Mirror(max(mains, key=likely), security[0] if security else None)


def transport_options():
    """This machine's apt settings on how to reach a mirror (proxies, clock), as apt options for a chroot's apt."""
    options = []
    for setting in TRANSPORT_SETTINGS:
        dump = subprocess.run(["apt-config", "dump", "--format=%v", setting], capture_output=True, text=True,
                              check=False).stdout.strip()
        if dump:
            options.append(f"{setting}={dump}")
    return options
