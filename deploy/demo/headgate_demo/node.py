"""The node: one process that runs all pods, each a small web server that says who it is.

Run as a program: node.py PORT NAME=ADDRESS... All listen on that port, or on another one when it is taken on any of the
addresses. It writes the port when every pod listens, and ends when its standard input does, so that it never outlives
the demo.
"""

import http.server
import random
import sys
import threading

TRIES = 20


class Pod(http.server.ThreadingHTTPServer):
    """As many connections at once as anybody wants."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name, address, port):
        self.name = name
        super().__init__((address, port), Handler)

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The answer leaves in one packet.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        body = f"{self.server.name} answers {self.headers.get('Host', '')}{self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Pod", self.server.name)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Nobody reads it."""


def listen(port, pods):
    """All pods, or OSError."""
    servers = []
    try:
        for pod in pods:
            name, address = pod.split("=")
            servers.append(Pod(name, address, port))
    except OSError:
        for server in servers:
            server.server_close()
        raise
    return servers


def listen_somewhere(port, pods):
    for _ in range(TRIES):
        try:
            return port, listen(port, pods)
        except OSError as error:
            problem = error
            port = random.randint(20000, 31999)
    raise problem


def main(port, pods):
    port, servers = listen_somewhere(int(port), pods)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
