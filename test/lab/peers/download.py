#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Downloads a file over HTTP, and tells how far it is and, at the end, its SHA-256.

usage: download.py HOST PATH
"""

import hashlib
import http.client
import sys

from telling import Telling


def main():
    telling = Telling(bytes=0, size=0, sha256="")

    def work():
        connection = http.client.HTTPConnection(sys.argv[1])
        connection.request("GET", sys.argv[2])
        answer = connection.getresponse()
        if answer.status != 200:
            raise ConnectionError(f"status {answer.status}")
        telling.add(size=int(answer.headers["Content-Length"]))
        total = hashlib.sha256()
        while True:
            data = answer.read1(65536)
            if not data:
                break
            total.update(data)
            telling.progress(bytes=len(data))
        telling.add(sha256=total.hexdigest())

    telling.run(work)


if __name__ == "__main__":
    main()
