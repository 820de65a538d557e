# SPDX-License-Identifier: Apache-2.0
"""segue-relay on each node, told by the order of src/fleet what to fetch from whom."""

import hashlib
import json
import selectors
import shutil
import subprocess
import sys
import time

from relay_net import RelayError, run

PORT = 7420
CHUNK = 128 << 10       # as segue release create cuts
RACKS = 4


def manifest_file(name, data):
    return {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
            "chunks": [hashlib.sha256(data[at:at + CHUNK]).hexdigest() for at in range(0, len(data), CHUNK)]}


class Segue:
    def __init__(self, fleet, build):
        self.fleet = fleet
        self.program = build / "src" / "relay" / "segue-relay"
        self.order = build / "bench" / "order" / "relay-order"
        self._release()
        self._certificates()

    def _release(self):
        """A release whose modules are the payload; the relay judges no signatures, and so it has none."""
        release = self.fleet.hub.directory / "depot" / "releases" / "bench"
        release.mkdir(parents=True)
        payload, kernel = self.fleet.payload.read_bytes(), b"not much of a kernel"
        (release / "vmlinuz").write_bytes(kernel)
        (release / "modules.tar.zst").write_bytes(payload)
        document = {"segue": "release", "format": 1, "name": "bench", "channel": "main", "version": 1, "epoch": 1,
                    "created": "2027-01-01T00:00:00Z", "expires": "2037-01-01T00:00:00Z", "kernel": "7.0",
                    "chunk_size": CHUNK,
                    "files": [manifest_file("vmlinuz", kernel), manifest_file("modules.tar.zst", payload)]}
        self.document = self.fleet.directory / "document"
        self.document.mkdir()
        for directory in (release, self.document):
            (directory / "release.json").write_text(json.dumps(document), encoding="utf-8")

    def _certificates(self):
        d = self.fleet.directory
        new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        run(*new, "-keyout", d / "ca.key", "-out", d / "ca.pem", "-subj", "/CN=fleet")
        for host in self.fleet.hosts:
            run(*new, "-keyout", host.directory / "key.pem", "-out", host.directory / "cert.pem", "-subj",
                f"/CN={host.name}", "-CA", d / "ca.pem", "-CAkey", d / "ca.key", "-addext", "basicConstraints=CA:FALSE")

    def _start(self, host):
        return host.start(self.program, "--depot", host.directory / "depot", "--ca", self.fleet.directory / "ca.pem",
                          "--cert", host.directory / "cert.pem", "--key", host.directory / "key.pem", "--listen",
                          host.address, "--port", PORT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _orders(self):
        """By node, as JSON."""
        stripes = [{} for _ in self.fleet.nodes]
        for line in run(self.order, str(self.fleet.n), str(RACKS)).splitlines():
            node, stripe, *parents = map(int, line.split())
            stripes[node][stripe] = [{"address": self.fleet.hosts[parent + 1].address, "port": PORT} for parent in parents]
        return [json.dumps({"do": "fetch", "release": "bench", "document": str(self.document),
                            "stripes": [found[number] for number in sorted(found)]}) for found in stripes]

    def run(self, kill=0):
        """Seconds until the last node, that is not killed, has the release checked and on its disk."""
        for host in self.fleet.nodes:
            shutil.rmtree(host.directory / "depot", ignore_errors=True)
        children = [self._start(host) for host in self.fleet.hosts]
        for child in children:
            child.stdout.readline()
        orders = self._orders()
        victims = [self.fleet.nodes[(2 * i + 1) * self.fleet.n // (2 * kill)] for i in range(kill)]
        begin = time.monotonic()
        for child, order in zip(children[1:], orders):
            child.stdin.write(order.encode() + b"\n")
            child.stdin.flush()
        try:
            return self._wait(children[1:], victims, begin) - begin
        finally:
            for host in victims:
                host.mend()

    def _wait(self, children, victims, begin):
        halfway = begin + self.fleet.size * 8 / (self.fleet.mbit * 1e6) / 2
        selector = selectors.DefaultSelector()
        for host, child in zip(self.fleet.nodes, children):
            selector.register(child.stdout, selectors.EVENT_READ, host)
        left, to_kill, log = set(self.fleet.nodes), list(victims), []
        while left:
            if to_kill and time.monotonic() >= halfway:
                for host in to_kill:
                    host.cut()
                    left.discard(host)
                to_kill = []
            if time.monotonic() > begin + self.fleet.limit_s:
                raise RelayError(f"{len(left)} nodes do not get the release: {log[-20:]}")
            for key, _ in selector.select(0.05):
                line = key.fileobj.readline()
                if not line:
                    raise RelayError(f"segue-relay on {key.data.name} ended")
                told = json.loads(line)
                if told["tell"] != "progress" and key.data not in victims:
                    log.append((key.data.name, told))
                if told["tell"] == "done":
                    left.discard(key.data)
        end = time.monotonic()
        for name, told in log:
            if told["tell"] != "done":
                print(f"{name}: {told}", file=sys.stderr)
        self.fleet.check(host.directory / "depot" / "releases" / "bench" / "modules.tar.zst"
                         for host in self.fleet.nodes if host not in victims)
        return end
