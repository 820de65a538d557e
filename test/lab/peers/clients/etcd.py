# SPDX-License-Identifier: Apache-2.0
"""etcd's JSON gateway: each step puts a key, which makes the next revision, and reads it."""

import base64
import json

from clients.http import Http
from clients.stream import expect


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Client:
    def __init__(self, host, port):
        self.http = Http(host, port)
        self.revision = None

    def ask(self, verb, **words):
        return json.loads(self.http.ask("POST", f"/v3/kv/{verb}", json.dumps(words).encode()))

    def step(self, number):
        revision = int(self.ask("put", key=encode("ledger"), value=encode(str(number)))["header"]["revision"])
        if self.revision is not None:
            expect(revision, self.revision + 1)
        self.revision = revision
        found = self.ask("range", key=encode("ledger"))["kvs"][0]
        expect((found["value"], int(found["mod_revision"])), (encode(str(number)), revision))
