# SPDX-License-Identifier: Apache-2.0
"""SMTP: each step hands over a mail, which is acknowledged when it is in the queue."""

from clients.stream import Stream, expect


class Client:
    def __init__(self, host, port):
        self.stream = Stream(host, port)
        self.answer(b"220")
        self.ask("HELO client.lab.test", b"250")

    def answer(self, code):
        line = self.stream.line()
        while line[3:4] == b"-":
            line = self.stream.line()
        expect(line[:3], code)

    def ask(self, text, code):
        self.stream.send(text.encode() + b"\r\n")
        self.answer(code)

    def step(self, number):
        self.ask("MAIL FROM:<lab@client.lab.test>", b"250")
        self.ask("RCPT TO:<postbox@localhost>", b"250")
        self.ask("DATA", b"354")
        self.ask(f"Subject: ledger {number}\r\n\r\n{number}\r\n.", b"250")
