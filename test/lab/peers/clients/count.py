# SPDX-License-Identifier: Apache-2.0
"""A web application that counts in its memory: its page is the number of times that it was asked."""

from clients.http import Http
from clients.stream import expect


class Client:
    def __init__(self, host, port, path):
        self.http = Http(host, port)
        self.path = path

    def step(self, number):
        expect(self.http.ask("GET", self.path).strip(), b"%d" % number)
