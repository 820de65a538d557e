# SPDX-License-Identifier: Apache-2.0
"""IMAP: each step appends a mail to the mailbox and counts what is in it."""

import re

from clients.stream import Stream, expect


class Client:
    def __init__(self, host, port):
        self.stream = Stream(host, port)
        self.tag = 0
        self.stream.line()      # the greeting
        self.ask("LOGIN reader lab")

    def ask(self, text, literal=None):
        """What came before the end of the answer."""
        self.tag += 1
        self.stream.send(f"{self.tag} {text}\r\n".encode())
        if literal is not None:
            expect(self.stream.line()[:1], b"+")
            self.stream.send(literal + b"\r\n")
        lines = []
        while not (line := self.stream.line()).startswith(f"{self.tag} ".encode()):
            lines.append(line)
        expect(line.split()[1], b"OK")
        return b"\n".join(lines)

    def step(self, number):
        mail = b"Subject: ledger %d\r\n\r\n%d\r\n" % (number, number)
        self.ask(f"APPEND INBOX {{{len(mail)}}}", mail)
        found = re.search(rb"MESSAGES (\d+)", self.ask("STATUS INBOX (MESSAGES)"))
        expect(found and int(found[1]), number)
