"""What has to be there, and to be gone afterwards: a temporary folder, the pods, Headgate and its HAProxy."""

import os
import shutil
import tempfile

from . import processes
from .controller import Controller
from .failure import Failure
from .haproxy import Workers
from .manifests import Manifests, free_port

PORT_NAMES = ("http", "stats", "admin")

# The path of a Unix socket has at most 107 characters, and HAProxy adds some while it opens one.
MAX_FOLDER = 107 - len("/run/runtime.sock") - len(".1234567.tmp")


class Stage:
    """`ports` is name -> port on 127.0.0.1. close() may be called at any time, and must be."""

    def __init__(self, root, program):
        self.folder = _make_folder()
        self.ports = {}
        self.version = ""
        self.manifests = None
        self.controller = None
        self.workers = None
        self._node = None
        self._root = root
        self._program = program

    def set_up(self, haproxy):
        """Returns after how many seconds Headgate was ready."""
        while len(self.ports) < len(PORT_NAMES):
            port = free_port()
            if port not in self.ports.values():
                self.ports[PORT_NAMES[len(self.ports)]] = port
        self.controller = Controller(self._root, self._program, self.folder, self.ports)
        self.version = self.controller.version()
        self.manifests = Manifests(f"{self._root}/deploy/demo/manifests", os.path.join(self.folder, "manifests"))
        self._node = processes.Node(self.manifests.pods, self.manifests.port)
        self.manifests.set_port(self._node.wait_until_ready())
        seconds = self.controller.start(self.manifests.path, haproxy.path)
        self.workers = Workers(self.controller.master_socket)
        return seconds

    def stats_url(self):
        return f"http://127.0.0.1:{self.ports['stats']}/"

    def close(self):
        """Fails when something did not end in order; it is gone then all the same."""
        forced = self.controller.stop() if self.controller is not None else {}
        if self._node is not None:
            self._node.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if forced:
            culprits = ", ".join(f"{pid} ({words})" for pid, words in forced.items())
            raise Failure(f"these did not end when the controller got SIGTERM, and were killed: {culprits}")
        if os.path.exists(self.folder):
            raise Failure(f"{self.folder} could not be removed: remove it")


def _make_folder():
    folder = tempfile.mkdtemp(prefix="headgate-demo-")
    if len(folder) > MAX_FOLDER:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="headgate-demo-", dir="/tmp")
    return folder
