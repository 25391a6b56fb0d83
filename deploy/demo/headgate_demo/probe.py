"""How long until a change is in effect: asks for one route, over and over, from just before the change."""

import time
from typing import NamedTuple

from .client import Client
from .failure import Failure

PAUSE_SECONDS = 0.001
LIMIT_SECONDS = 10
# So many right answers in a row mean that no wrong one is going to come.
CALM = 30


class Result(NamedTuple):
    first: object  # the first right answer
    first_ms: float
    all_ms: float  # when every answer had come that is right now, and none came any more that is not
    interval_ms: float  # between one answer and the next, on average
    n_reopened: int


class Probe:
    def __init__(self, port, request, before, after):
        """`before` and `after` are the sets of answers that are right before and after the change."""
        self._client = Client(port)
        self._request = request
        self._before = before
        self._after = after

    def measure(self, change):
        """Calls change() and measures from there."""
        answer = self._client.ask(self._request)
        if answer not in self._before:
            raise Failure(f"{self._request}: expected {_names(self._before)} before the change, met {answer}")
        started = time.perf_counter()
        change()
        samples = []
        while not self._is_settled(samples):
            if time.perf_counter() > started + LIMIT_SECONDS:
                raise Failure(
                    f"{self._request}: expected {_names(self._after)} soon after the change, "
                    f"met {_names({answer for _, answer in samples[-CALM:]})} {LIMIT_SECONDS} s after it"
                )
            if samples:
                time.sleep(PAUSE_SECONDS)
            answer = self._client.ask(self._request)
            samples.append(((time.perf_counter() - started) * 1000, answer))
            if answer not in self._before | self._after:
                right = _names(self._before | self._after)
                raise Failure(f"{self._request}: expected {right} during the change, met {answer}")
        self._client.close()
        return self._summary(samples)

    def _is_settled(self, samples):
        calm = [answer for _, answer in samples[-CALM:]]
        return len(calm) == CALM and set(calm) == self._after

    def _summary(self, samples):
        new = self._after - self._before
        first_ms, first = next((ms, answer) for ms, answer in samples if answer in new)
        seen = set()
        for i, (ms, answer) in enumerate(samples):
            if answer not in seen or answer not in self._after:
                seen.add(answer)
                last = i if answer in self._after else i + 1
        interval_ms = (samples[-1][0] - samples[0][0]) / (len(samples) - 1)
        return Result(first, first_ms, samples[last][0], interval_ms, self._client.n_reopened)


def _names(answers):
    return " or ".join(map(str, sorted(answers)))
