"""The directory of manifests: a copy of deploy/demo/manifests that the demo, or a person, changes while Headgate runs.

Pods are local web servers on loopback addresses, and the manifests give all of them the same port. When something on this
machine uses that port already, the copy gets another one.
"""

import os
import random
import re
import shutil
import socket

from .failure import Failure

PORT = 7080
PORT_TRIES = 20
SPARE_PODS = {f"spare-{n}": f"127.0.90.{n}" for n in (1, 2, 3)}

_POD = re.compile(r'- addresses: \["([0-9.]+)"\]\n(?: +conditions: .*\n)? +targetRef: {kind: Pod, name: ([a-z0-9-]+)}')


def free_port():
    """A port that nobody listens on. Below those that the kernel gives to outgoing connections, so that it stays free."""
    for _ in range(PORT_TRIES):
        port = random.randint(20000, 31999)
        if _is_free("127.0.0.1", port):
            return port
    raise Failure(f"no free port on 127.0.0.1 found in {PORT_TRIES} tries: end what listens on 20000 to 31999 there")


def _is_free(address, port):
    with socket.socket() as probe:
        # As servers do it: connections that have just ended don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError:
            return False
        return True


class Manifests:
    """`path` is what Headgate watches, `steps` has files that are to be put there, `pods` is name -> address."""

    def __init__(self, source, path):
        self.path = path
        self.steps = os.path.join(path, "steps")
        shutil.copytree(source, path)
        self.pods = self._find_pods() | SPARE_PODS
        self.port = self._choose_port()

    def put(self, name):
        """Puts a file of steps/ in place, in one instant: Headgate never sees half of it."""
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

    def _choose_port(self):
        for port in [PORT] + [random.randint(20000, 31999) for _ in range(PORT_TRIES)]:
            if all(_is_free(address, port) for address in self.pods.values()):
                self._replace_port(port)
                return port
        raise Failure("no port is free on 127.0.10.1 and the other addresses of the demo's pods: is the loopback interface up?")

    def _replace_port(self, port):
        for name in self._files() if port != PORT else ():
            with open(name, encoding="utf-8") as file:
                text = file.read()
            with open(name, "w", encoding="utf-8") as file:
                file.write(text.replace(f"port: {PORT}\n", f"port: {port}\n"))
