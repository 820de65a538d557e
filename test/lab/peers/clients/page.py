# SPDX-License-Identifier: Apache-2.0
"""A web server: the same page again and again has the same SHA-256."""

import hashlib

from clients.http import Http
from clients.stream import expect


class Client:
    def __init__(self, host, port, path, sha256):
        self.http = Http(host, port)
        self.path, self.sha256 = path, sha256

    def step(self, _):
        expect(hashlib.sha256(self.http.ask("GET", self.path)).hexdigest(), self.sha256)
