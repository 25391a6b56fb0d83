"""An HTTP client that asks HAProxy for any host, over one connection for as long as HAProxy keeps it."""

import http.client
from typing import NamedTuple

from .failure import Failure

TIMEOUT_SECONDS = 5


class Answer(NamedTuple):
    status: int
    pod: str

    def __str__(self):
        return f"{self.status} {self.pod}".strip()


class Request(NamedTuple):
    host: str
    path: str = "/"

    def __str__(self):
        return f"http://{self.host}{self.path}"


class Client:
    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self.n_reopened = 0

    def ask(self, request):
        """The answer; fails when there is none."""
        is_fresh = self._connection.sock is None
        try:
            try:
                return self._ask(request)
            except ConnectionError:
                if is_fresh:
                    raise
            # A server may close a connection on which nothing is going on; every client asks again then (RFC 9112, 9.3.1).
            self.close()
            self.n_reopened += 1
            return self._ask(request)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Failure(f"{request}: expected an answer, met {error!r}") from error

    def close(self):
        self._connection.close()

    def _ask(self, request):
        self._connection.request("GET", request.path, headers={"Host": request.host})
        response = self._connection.getresponse()
        response.read()
        return Answer(response.status, response.headers.get("X-Pod", ""))
