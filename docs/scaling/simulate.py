#!/usr/bin/env python3
"""Simulates how the clients of a color come back in a promotion.

usage: docs/scaling/simulate.py [--plot FILE.png]

Each baton.v1 client is told an appointment between a third of DRAIN_SPREAD and its end, as handlers/drain.go has it; it
opens its next connection at a random moment before, and its old one serves until then. A plain client has only the end.
Handshakes are served first come, first served, at a capacity a second; one not served within TIMEOUT is given up (what
was spent on it is lost) and tried again after exponential back-off with full jitter, as client/wire/backoff.go does.
The gap is the time without any connection. Randomness is seeded: each run prints the same.
"""

import argparse
import heapq
import random

TIMEOUT = 10.0
BACKOFF_MIN, BACKOFF_MAX = 0.1, 10.0
# One in so many is simulated, at a capacity as many times smaller: queues scale with both.
CLIENTS_SIMULATED = 20_000
# Nobody waits longer; who is not back by then counts as back then.
HORIZON = 600.0


def promotion(clients, capacity, spread, handover=True, seed=1):
    """Returns the gaps in seconds, the times of each client's return, and the attempts given up."""
    shrink = max(1.0, clients / CLIENTS_SIMULATED)
    count, service = round(clients / shrink), shrink / capacity
    rng = random.Random(seed)
    closed = [rng.uniform(spread / 3 if handover else 0, spread) for _ in range(count)]
    arrivals = [(rng.uniform(0, at) if handover else at, n, 0) for n, at in enumerate(closed)]
    heapq.heapify(arrivals)
    free, given_up = 0.0, 0
    back = [0.0] * count
    while arrivals:
        at, n, failures = heapq.heappop(arrivals)
        start = max(at, free)
        if at > HORIZON:
            back[n] = HORIZON
            continue
        if start - at > TIMEOUT:
            # The server sees it when its turn comes, and finds nobody: half of the work is done by then.
            free = start + service / 2
            given_up += 1
            wait = rng.uniform(0, min(BACKOFF_MAX, BACKOFF_MIN * 2**min(failures, 20)))
            heapq.heappush(arrivals, (at + TIMEOUT + wait, n, failures + 1))
            continue
        free = start + service
        back[n] = free
    gaps = sorted(max(0.0, back[n] - closed[n]) for n in range(count))
    return gaps, sorted(back), round(given_up * shrink)


def line(name, clients, capacity, spread, handover=True):
    gaps, back, given_up = promotion(clients, capacity, spread, handover)
    print(
        f"{name:34} {clients:>10,} {capacity:>9,} {spread:>6.0f} {clients / spread / capacity:>6.2f} "
        f"{gaps[len(gaps) // 2]:>7.2f} {gaps[int(len(gaps) * 0.99)]:>7.2f} {gaps[-1]:>7.2f} {back[-1]:>8.1f} {given_up:>10,}"
    )


def plot(path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for spread in (10, 20, 30, 60, 120):
        _, back, _ = promotion(1_000_000, 40_000, spread)
        left.plot(back, [100 * (i + 1) / len(back) for i in range(len(back))], label=f"DRAIN_SPREAD={spread}s")
    left.set(xlabel="seconds since the drain began", ylabel="clients back, %", title="1,000,000 clients, 40,000 handshakes/s")
    loads = [0.5 + 0.05 * i for i in range(31)]
    for spread in (10, 30, 60):
        tails = []
        for load in loads:
            gaps, _, _ = promotion(1_000_000, 1_000_000 / spread / load, spread)
            tails.append(gaps[int(len(gaps) * 0.99)])
        right.plot(loads, tails, label=f"DRAIN_SPREAD={spread}s")
    right.set(xlabel="reconnect rate / handshake capacity", ylabel="gap p99, s", title="Where it gives out")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE.png")
    options = parser.parse_args()
    print(f"{'':34} {'clients':>10} {'capacity':>9} {'spread':>6} {'load':>6} {'p50':>7} {'p99':>7} {'max':>7} {'all back':>8} {'given up':>10}")
    line("one machine, fitted", 5_000, 1_100, 3)
    line("one machine, checked", 5_000, 1_100, 8)
    for spread in (10, 30, 60):
        line("a million", 1_000_000, 40_000, spread)
    line("a million, plain clients", 1_000_000, 40_000, 30, handover=False)
    for spread in (120, 200, 300):
        line("ten million", 10_000_000, 100_000, spread)
    if options.plot:
        plot(options.plot)


main()
