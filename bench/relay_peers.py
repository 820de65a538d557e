# SPDX-License-Identifier: Apache-2.0
"""Other ways to bring a file to many machines, from Debian's packages."""

import os
import time

from relay_net import RelayError, run

NAME = "payload"
NGINX = """daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
http {{ access_log off; sendfile on; server {{ listen {address}:80; root {root}; }} }}
"""


def fetched(fleet):
    for host in fleet.nodes:
        (host.directory / NAME).unlink(missing_ok=True)
    return [host.directory / NAME for host in fleet.nodes]


def http(fleet):
    """nginx on the hub, curl on each node."""
    files = fetched(fleet)
    (fleet.hub.directory / "nginx.conf").write_text(NGINX.format(address=fleet.hub.address, root=fleet.directory),
                                                    encoding="ascii")
    os.chmod(fleet.directory, 0o755)
    fleet.hub.start("nginx", "-p", fleet.hub.directory, "-c", "nginx.conf")
    begin = time.monotonic()
    fleet.wait_all("curl", [host.start("curl", "-sf", "--retry", "9", "--retry-connrefused", "-o", NAME,
                                       f"http://{fleet.hub.address}/{NAME}") for host in fleet.nodes])
    end = time.monotonic()
    fleet.check(files)
    return end - begin


def bittorrent(fleet):
    """aria2 everywhere, with a tracker beside the hub's."""
    files = fetched(fleet)
    torrent = fleet.directory / "payload.torrent"
    torrent.unlink(missing_ok=True)
    run("mktorrent", "-l", "17", "-a", f"http://{fleet.hub.address}:6969/announce", "-o", torrent, fleet.payload)
    fleet.hub.start("opentracker", "-i", fleet.hub.address, "-p", "6969", "-P", "6969")
    settings = ("--seed-ratio=0.0", "--enable-dht=false", "--file-allocation=none", "--bt-tracker-interval=5",
                "--bt-max-peers=0", "--listen-port=6881", torrent)
    fleet.hub.start("aria2c", "-V", "--dir", fleet.directory, *settings)
    time.sleep(3)       # it looks at the whole file, and tells the tracker
    for host in fleet.nodes:
        (host.directory / "whole").unlink(missing_ok=True)
    hook = fleet.directory / "hook"
    hook.write_text("#!/bin/sh\n: >whole\n", encoding="ascii")
    hook.chmod(0o755)
    begin = time.monotonic()
    for host in fleet.nodes:
        host.start("aria2c", "--dir", host.directory, f"--on-bt-download-complete={hook}", *settings)
    while not all((host.directory / "whole").exists() for host in fleet.nodes):
        if time.monotonic() > begin + fleet.limit_s:
            raise RelayError("aria2 does not get the file to every node")
        time.sleep(0.05)
    end = time.monotonic()
    fleet.check(files)
    return end - begin


def udpcast(fleet):
    """Multicast with acknowledgements."""
    files = fetched(fleet)
    receivers = [host.start("udp-receiver", "--nokbd", "--interface", "eth0", "--file", NAME) for host in fleet.nodes]
    begin = time.monotonic()
    fleet.hub.start("udp-sender", "--nokbd", "--full-duplex", "--interface", "eth0", "--min-receivers", fleet.n,
                    "--max-bitrate", f"{fleet.mbit * 95 // 100}m", "--file", fleet.payload)
    fleet.wait_all("udp-receiver", receivers)
    end = time.monotonic()
    fleet.check(files)
    return end - begin


def uftp(fleet):
    """Multicast with negative acknowledgements."""
    files = fetched(fleet)
    for host in fleet.nodes:
        host.start("uftpd", "-d", "-I", "eth0", "-D", host.directory)
    time.sleep(1)       # they join the group
    begin = time.monotonic()
    fleet.wait_all("uftp", [fleet.hub.start("uftp", "-I", "eth0", "-R", fleet.mbit * 950, fleet.payload)])
    end = time.monotonic()
    fleet.check(files)
    return end - begin


def ways(fleet):
    return {"bittorrent_aria2": lambda: bittorrent(fleet), "multicast_udpcast": lambda: udpcast(fleet),
            "multicast_uftp": lambda: uftp(fleet), "http_nginx": lambda: http(fleet)}
