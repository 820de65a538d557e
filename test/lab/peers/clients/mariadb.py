# SPDX-License-Identifier: Apache-2.0
"""MariaDB's protocol: each step commits a row, as a user without a password."""

from clients.stream import Stream

LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH = 1, 8, 0x200, 0x8000, 0x80000
FLAGS = LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH
UTF8 = 33
QUERY = b"\x03"


class Client:
    def __init__(self, host, port):
        self.stream = Stream(host, port)
        self.packet()       # the server's greeting
        self.send(FLAGS.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + bytes([UTF8]) + bytes(23)
                  + b"lab\0" + b"\0" + b"lab\0" + b"mysql_native_password\0", 1)
        self.agreed()

    def send(self, body, sequence):
        self.stream.send(len(body).to_bytes(3, "little") + bytes([sequence]) + body)

    def packet(self):
        header = self.stream.read(4)
        return self.stream.read(int.from_bytes(header[:3], "little"))

    def agreed(self):
        answer = self.packet()
        if answer[0] != 0:
            raise ValueError(f"the server answered {answer!r}")

    def step(self, number):
        self.send(QUERY + b"INSERT INTO ledger VALUES (%d)" % number, 0)
        self.agreed()
