"""A client in the background: while something is changed, everything else must be answered as before."""

import threading
import time

from .client import Client
from .failure import Failure

PAUSE_SECONDS = 0.002


class Traffic:
    """`with Traffic(port, routes) as traffic:` asks for all routes in turn, each over a kept and over a new connection.

    `routes` is {Request: the answers that are right}.
    """

    def __init__(self, port, routes):
        self.n_requests = 0
        self.n_reopened = 0
        self.failures = []
        self._port = port
        self._routes = routes
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_ending.set()
        self._thread.join()

    def _run(self):
        kept = Client(self._port)
        while not self._is_ending.is_set():
            for request, right in self._routes.items():
                self._ask(kept, request, right)
                fresh = Client(self._port)
                self._ask(fresh, request, right)
                fresh.close()
                time.sleep(PAUSE_SECONDS)
        self.n_reopened = kept.n_reopened
        kept.close()

    def _ask(self, client, request, right):
        self.n_requests += 1
        try:
            answer = client.ask(request)
        except Failure as failure:
            self.failures.append(str(failure))
            return
        if answer not in right:
            self.failures.append(f"{request}: expected {' or '.join(map(str, sorted(right)))}, met {answer}")
