#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches a page over HTTP again and again, each time over a new connection, from several threads.

usage: requests.py HOST:PORT PATH THREADS

What is not answered with status 200 within the limit has failed.
"""

import http.client
import sys
import threading

from telling import Telling

PACE_S = 0.05
LIMIT_S = 10


class Asker:
    def __init__(self, host, path, threads):
        self.host, self.path, self.threads = host, path, int(threads)
        self.telling = Telling(answered=0, failed=0)
        self.pace = threading.Event()

    def one(self):
        connection = http.client.HTTPConnection(self.host, timeout=LIMIT_S)
        try:
            connection.request("GET", self.path)
            answer = connection.getresponse()
            answer.read()
            return None if answer.status == 200 else f"status {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    def ask(self):
        while not self.telling.ended.is_set():
            why = self.one()
            if why:
                self.telling.add(failed=1)
                self.telling.fail(why)
            else:
                self.telling.progress(answered=1)
            self.pace.wait(PACE_S)

    def work(self):
        threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(self.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main():
    asker = Asker(*sys.argv[1:4])
    asker.telling.run(asker.work)


if __name__ == "__main__":
    main()
