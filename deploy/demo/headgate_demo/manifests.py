"""The directory of manifests: a copy of deploy/demo/manifests that the demo, or a person, changes while Headgate runs.

Pods are local web servers on loopback addresses, and the manifests give all of them the same port. When something on
this machine uses that port already, the copy gets another one.
"""

import os
import random
import re
import shutil
import socket

from .failure import Failure

PORT = 7080
TRIES = 20
SPARE_PODS = {f"spare-{n}": f"127.0.90.{n}" for n in (1, 2, 3)}

_POD = re.compile(r'- addresses: \["([0-9.]+)"\]\n(?: +conditions: .*\n)? +targetRef: {kind: Pod, name: ([a-z0-9-]+)}')


def free_port():
    """A port that nobody listens on; below those that the kernel gives to outgoing connections, so it stays free."""
    for _ in range(TRIES):
        port = random.randint(20000, 31999)
        with socket.socket() as probe:
            # As servers do it: connections that have just ended don't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen()
                return port
            except OSError:
                pass
    raise Failure(f"no free port on 127.0.0.1 found in {TRIES} tries: end what listens on 20000 to 31999 there")


class Manifests:
    """`path` is what Headgate watches, `steps` has files that are to be put there, `pods` is name -> address."""

    def __init__(self, source, path):
        self.path = path
        self.steps = os.path.join(path, "steps")
        shutil.copytree(source, path)
        self.pods = self._find_pods() | SPARE_PODS
        self.port = PORT

    def set_port(self, port):
        """The pods listen elsewhere."""
        for name in self._files():
            with open(name, encoding="utf-8") as file:
                text = file.read()
            with open(name, "w", encoding="utf-8") as file:
                file.write(text.replace(f"port: {self.port}\n", f"port: {port}\n"))
        self.port = port

    def put(self, name):
        """Gets a file of steps/ ready; what is returned puts it in place, in one instant: Headgate never sees half of it."""
        hidden = os.path.join(self.path, "." + name)
        shutil.copyfile(os.path.join(self.steps, name), hidden)
        return lambda: os.rename(hidden, os.path.join(self.path, name))

    def remove(self, name):
        return lambda: os.unlink(os.path.join(self.path, name))

    def _files(self):
        for folder in (self.path, self.steps):
            for name in sorted(os.listdir(folder)):
                if name.endswith(".yaml"):
                    yield os.path.join(folder, name)

    def _find_pods(self):
        pods = {}
        for name in self._files():
            with open(name, encoding="utf-8") as file:
                pods |= {pod: address for address, pod in _POD.findall(file.read())}
        return pods
