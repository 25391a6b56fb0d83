"""The demo from begin to end: what is shown, in which order, and what must hold."""

import http.client
import time

from .client import Client
from .failure import Failure
from .manifests import SPARE_PODS
from .probe import PAUSE_SECONDS, Probe
from .script import CHANGES, ROUTES
from .table import Table
from .traffic import Traffic

# How often a route is asked for, to meet all of its pods.
TIMES = 12
# Requests for other routes begin so long before a change, and go on so long after it: Headgate puts reloads off for a
# moment, to make one of many, and that one must be seen.
BEFORE_SECONDS = 0.3
AFTER_SECONDS = 1.0

ROUTE_COLUMNS = (("request", 38), ("met", 20), ("", 5), ("shows", 29))
CHANGE_COLUMNS = (
    ("change", 25),
    ("right answer", 12),
    ("first ms", -8),
    ("all ms", -7),
    ("worker PID", -10),
    ("reloads", -7),
    ("others", -6),
    ("failed", -6),
)


def say(text=""):
    print(text, flush=True)


class Story:
    def __init__(self, stage, haproxy):
        self._stage = stage
        self._haproxy = haproxy
        self._port = stage.ports["http"]
        self._right = {request: right for request, right, _ in ROUTES}
        self._intervals_ms = []
        self._n_requests = 0
        self._n_reopened = 0
        self._failures = []

    def tell(self):
        """Fails when anything is not as it must be."""
        self._show_routes()
        self._show_changes()
        self._check_stats_page()
        self._sum_up()

    # ---- what requests meet ----

    def _show_routes(self):
        say("What requests meet:")
        say()
        table = Table(say, *ROUTE_COLUMNS)
        client = Client(self._port)
        wrong = []
        for request, right, shows in ROUTES:
            met = {client.ask(request) for _ in range(TIMES)}
            table.row(request, _join(met), "right" if met == right else "WRONG", shows)
            if met != right:
                wrong.append(f"{request}: expected {_join(right)}, met {_join(met)}")
        client.close()
        say()
        if wrong:
            raise Failure(wrong[0])

    # ---- what happens at changes ----

    def _show_changes(self):
        say("Changes, each a manifest put in place or removed, while all other requests go on:")
        say()
        table = Table(say, *CHANGE_COLUMNS)
        for change in CHANGES:
            self._make_change(table, *change)
        interval_ms = sum(self._intervals_ms) / len(self._intervals_ms)
        say()
        say("  first ms  from just before the file was put in place (or removed) to the first right answer")
        say("  all ms    until every pod had answered that should, and no answer came that should not")
        say("  reloads   workers that are new, since Headgate was ready")
        say("  others    requests for all other routes meanwhile, over kept and over new connections")
        pause_ms = PAUSE_SECONDS * 1000
        say(f"  The change is looked for {pause_ms:.0f} ms after each answer: every {interval_ms:.1f} ms on average.")
        if self._n_reopened:
            say(f"  Kept connections that HAProxy closed between requests, and that were opened again: {self._n_reopened}")
        say()

    def _make_change(self, table, title, act, file, request, after):
        workers = self._stage.workers
        reloads_before = workers.reloads()
        others = {other: right for other, right in self._right.items() if other != request}
        probe = Probe(self._port, request, self._right[request], after)
        with Traffic(self._port, others) as traffic:
            time.sleep(BEFORE_SECONDS)
            result = probe.measure(act(self._stage.manifests, file))
            time.sleep(AFTER_SECONDS)
        workers.look()
        self._right[request] = after
        self._count(traffic, result)
        table.row(
            title,
            result.first,
            f"{result.first_ms:.1f}",
            f"{result.all_ms:.1f}",
            workers.current,
            workers.reloads() - reloads_before,
            traffic.n_requests,
            len(traffic.failures),
        )

    def _count(self, traffic, result):
        self._intervals_ms.append(result.interval_ms)
        self._n_requests += traffic.n_requests
        self._n_reopened += traffic.n_reopened + result.n_reopened
        self._failures += traffic.failures

    # ---- the end ----

    def _check_stats_page(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._stage.ports["stats"], timeout=5)
        connection.request("GET", "/")
        status = connection.getresponse().status
        connection.close()
        if status != 200:
            raise Failure(f"the stats page {self._stage.stats_url()} answers {status} instead of 200")

    def _sum_up(self):
        self._stage.workers.look()
        reloads = self._stage.workers.reloads()
        if self._failures:
            n_failed = f"{len(self._failures)} of {self._n_requests}"
            raise Failure(f"expected no other request to fail, {n_failed} did, the first: {self._failures[0]}")
        if reloads and self._haproxy.adds_backends_live():
            raise Failure(f"expected no reload of HAProxy {self._haproxy.version}, met {reloads}: see reload= in the log")
        say(
            f"{len(ROUTES)} routes and {len(CHANGES)} changes right; "
            f"{self._n_requests} other requests, 0 failed; reloads: {reloads}."
        )
        say(f"Stats page: {self._stage.stats_url()} (`make demo KEEP=1` leaves it up)")


def show_where_things_are(stage):
    """For people who want to look around."""
    http_address = f"127.0.0.1:{stage.ports['http']}"
    say()
    say("Everything stays up until Ctrl-C:")
    say()
    say(f"  stats page   {stage.stats_url()}  (a backend is a Service's port, a server is a pod)")
    say(f"  a request    curl -H 'Host: shop.example.com' http://{http_address}/api/items")
    say(f"  manifests    {stage.manifests.path}: edit, add or remove files")
    say(f"               cp {stage.manifests.steps}/news.yaml {stage.manifests.path}/")
    say(f"               curl -H 'Host: news.example.com' http://{http_address}/")
    say(f"  spare pods   {', '.join(SPARE_PODS.values())}, port {stage.manifests.port}: for any EndpointSlice")
    say(f"  metrics      Headgate's: http://127.0.0.1:{stage.ports['admin']}/metrics")
    say(f"               HAProxy's: {stage.stats_url()}metrics")
    say(f"  log          {stage.controller.log}")


def _join(answers):
    """ "200 shop-1, shop-2" """
    texts = []
    for status in sorted({answer.status for answer in answers}):
        pods = sorted(answer.pod for answer in answers if answer.status == status)
        texts.append(f"{status} {', '.join(pods)}".strip())
    return "; ".join(texts)
