# SPDX-License-Identifier: Apache-2.0
"""The lab's network: a bridge in a namespace of its own, guests' taps on it, and a client host in another namespace."""

import contextlib
import os
import re
import subprocess

from lab import cache
from lab.command import run
from lab.error import LabError

GUESTS = 32
BRIDGE = "bridge"
CLIENT = "client"
CLIENT_LINK = "lab0"


def names():
    """Every name that a guest can have."""
    return [f"n{number}" for number in range(1, GUESTS + 1)]


def number(name):
    match = re.fullmatch(r"n([1-9][0-9]?)", name)
    if not match or int(match[1]) > GUESTS:
        raise LabError(f"{name}: guests are named n1 to n{GUESTS}")
    return int(match[1])


def addresses(name):
    """The IPv4 and the IPv6 address of a guest, or of the client host."""
    host = 1 if name == CLIENT else 10 + number(name)
    return f"10.77.0.{host}", f"fd77::{host}"


def mac(name):
    return f"52:54:00:77:00:{number(name):02x}"


def networkd_file(name):
    """What systemd-networkd in the guest is told."""
    four, six = addresses(name)
    return (f"[Match]\nMACAddress={mac(name)}\n\n[Network]\nAddress={four}/24\nAddress={six}/64\n"
            "IPv6AcceptRA=no\nIPv6DuplicateAddressDetection=0\n")


def lab_namespace():
    return f"segue-lab{cache.instance()}"


def client_namespace():
    return f"segue-client{cache.instance()}"


def _exists(namespace):
    return os.path.exists(f"/run/netns/{namespace}")


def _ip(namespace, *words):
    run("ip", "-n", namespace, *words, what=f"set up the lab's network ({' '.join(words)})")


def raise_network():
    """Make the namespaces, bridge and client link, unless they are there."""
    with cache.lock("network"):
        lab, client = lab_namespace(), client_namespace()
        if _exists(lab) and _exists(client):
            return
        _remove()
        for namespace in (lab, client):
            run("ip", "netns", "add", namespace, what="make a network namespace")
            _ip(namespace, "link", "set", "lo", "up")
        # Without a querier on it a bridge that snoops would lose neighbour discovery.
        _ip(lab, "link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
        _ip(lab, "link", "set", BRIDGE, "up")
        _ip(lab, "link", "add", CLIENT, "type", "veth", "peer", "name", CLIENT_LINK, "netns", client)
        _ip(lab, "link", "set", CLIENT, "master", BRIDGE, "up")
        _ip(client, "link", "set", CLIENT_LINK, "up")
        four, six = addresses(CLIENT)
        _ip(client, "address", "add", f"{four}/24", "dev", CLIENT_LINK)
        _ip(client, "address", "add", f"{six}/64", "dev", CLIENT_LINK, "nodad")


def _remove():
    for namespace in (lab_namespace(), client_namespace()):
        if _exists(namespace):
            run("ip", "netns", "delete", namespace, what="remove a network namespace")


def lower_network():
    """Remove the namespaces; whatever still ran in them is cut off."""
    with cache.lock("network"):
        _remove()


def add_tap(name):
    """The guest's end of its cable, named like the guest."""
    raise_network()
    remove_tap(name)
    _ip(lab_namespace(), "tuntap", "add", "dev", name, "mode", "tap")
    _ip(lab_namespace(), "link", "set", name, "master", BRIDGE, "up")


def remove_tap(name):
    with contextlib.suppress(LabError):
        _ip(lab_namespace(), "link", "delete", name)


def in_lab(*argv):
    """argv, to be run in the bridge's namespace."""
    return ["nsenter", f"--net=/run/netns/{lab_namespace()}", "--", *map(str, argv)]


def in_client(*argv):
    """argv, to be run on the client host."""
    return ["nsenter", f"--net=/run/netns/{client_namespace()}", "--", *map(str, argv)]


def client_run(*argv, limit=60, check=True, text=None):
    """Run argv on the client host, and return the subprocess.CompletedProcess with its outputs as text."""
    raise_network()
    try:
        done = subprocess.run(in_client(*argv), input=text, text=True, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(f"{argv[0]} on the client host did not end within {limit:g} s") from None
    if check and done.returncode != 0:
        raise LabError(f"{argv[0]} on the client host exited with {done.returncode}: {done.stderr.strip()}")
    return done


def client_start(*argv, **options):
    """Start argv on the client host, and return the subprocess.Popen; options are Popen's."""
    raise_network()
    return subprocess.Popen(in_client(*argv), **options)
