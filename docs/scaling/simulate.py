#!/usr/bin/env python3
"""Simulates how the clients of a color come back in a promotion.

usage: docs/scaling/simulate.py [--plot FILE.png]
       docs/scaling/simulate.py --check [--clients N]   # real promotions on this machine beside the model (make build first)

Each baton.v1 client is told an appointment between a third of DRAIN_SPREAD and its end, as handlers/drain.go has it; it
opens its next connection at a random moment of the first four fifths until then, as client/link.go does, and its old one
serves until the appointment. A plain client has only the end.
Handshakes are served first come, first served, at a capacity a second; one not served within TIMEOUT is given up (what
was spent on it is lost) and tried again after exponential back-off with full jitter, as client/wire/backoff.go does.
The gap is the time without any connection. Randomness is seeded: each run prints the same.
"""

import argparse
import heapq
import os
import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

TIMEOUT = 10.0
MOVE_WITHIN = 0.8
BACKOFF_MIN, BACKOFF_MAX = 0.1, 10.0
# One in so many is simulated, at a capacity as many times smaller: queues scale with both.
CLIENTS_SIMULATED = 20_000
# Nobody waits longer; who is not back by then counts as back then.
HORIZON = 600.0


def promotion(clients, capacity, spread, plain=0.0, seed=1):
    """Returns the gaps of baton.v1's and of plain clients in seconds, the time of each return, and the attempts given up."""
    shrink = max(1.0, clients / CLIENTS_SIMULATED)
    count, service = round(clients / shrink), shrink / capacity
    rng = random.Random(seed)
    moves = [rng.random() >= plain for _ in range(count)]
    closed = [rng.uniform(spread / 3 if m else 0, spread) for m in moves]
    arrivals = [(rng.uniform(0, MOVE_WITHIN * at) if m else at, n, 0) for n, (at, m) in enumerate(zip(closed, moves))]
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
    gaps = [max(0.0, back[n] - closed[n]) for n in range(count)]
    moved, resumed = (sorted(g for g, m in zip(gaps, moves) if m is kind) for kind in (True, False))
    return moved, resumed, sorted(back), round(given_up * shrink)


def quantile(values, q):
    return values[min(len(values) - 1, int(len(values) * q))]


def line(name, clients, capacity, spread, plain=0.0):
    moved, resumed, back, given_up = promotion(clients, capacity, spread, plain)
    gaps = moved or resumed
    print(
        f"{name:28} {clients:>10,} {capacity:>9,} {spread:>6.0f} {clients / spread / capacity:>6.2f} "
        f"{quantile(gaps, 0.5):>7.2f} {quantile(gaps, 0.99):>7.2f} {gaps[-1]:>7.2f} {back[-1]:>8.1f} {given_up:>12,}"
    )


# Two spreads: at one the capacity is fitted, at the other the model has to be right with it.
FITTED, CHECKED = 3, 8
GAPS = re.compile(r"p50 ([\d.]+) ms, p99 ([\d.]+) ms, max ([\d.]+) ms")


def real(clients, spread):
    """Two promotions under so many clients, half of them plain. Returns the gaps p50, p99 and max in s of both kinds."""
    settings = {"DEMO_CLIENTS": clients // 2, "DEMO_PLAIN": clients // 2, "DEMO_DURATION": f"{30 + 2 * spread}s",
                "DRAIN_SPREAD": f"{spread}s", "DRAIN_TIMEOUT": f"{spread + 17}s"}  # fmt: skip
    env = os.environ | {name: str(value) for name, value in settings.items()}
    run = subprocess.run([ROOT / "scripts/demo.sh"], env=env, capture_output=True, text=True)
    found = [tuple(float(x) / 1000 for x in gap) for gap in GAPS.findall(run.stdout)]
    if run.returncode or len(found) != 2:
        sys.exit(f"scripts/demo.sh ended with {run.returncode}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return found


def fit(clients, spread, p99):
    """The capacity at which a baton.v1 client's gap has this p99: more capacity, less gap."""
    low, high = clients / spread / 20, clients / spread * 20
    for _ in range(30):
        middle = (low + high) / 2
        moved, _, _, _ = promotion(clients, middle, spread, plain=0.5)
        low, high = (middle, high) if quantile(moved, 0.99) > p99 else (low, middle)
    return round(high)


def check(clients):
    at = {spread: real(clients, spread) for spread in (FITTED, CHECKED)}
    capacity = fit(clients, FITTED, at[FITTED][0][1])
    print(f"{clients:,} clients, half of them plain; capacity fitted to baton.v1's p99 at {FITTED} s: {capacity:,} handshakes/s")
    print(f"{'spread':>6} {'clients':9} {'':9} {'p50':>7} {'p99':>7} {'max':>7}")
    for spread, measured in at.items():
        predicted = promotion(clients, capacity, spread, plain=0.5)
        for kind, gaps, was in zip(("baton.v1", "plain"), predicted, measured):
            says = quantile(gaps, 0.5), quantile(gaps, 0.99), gaps[-1]
            for name, three in (("measured", was), ("predicted", says)):
                print(f"{spread:>6} {kind:9} {name:9} " + " ".join(f"{x:>7.2f}" for x in three))


def plot(path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for spread in (10, 20, 30, 60, 120):
        _, _, back, _ = promotion(1_000_000, 40_000, spread)
        left.plot(back, [100 * (i + 1) / len(back) for i in range(len(back))], label=f"DRAIN_SPREAD={spread}s")
    left.set(xlabel="seconds since the drain began", ylabel="clients back, %", title="1,000,000 clients, 40,000 handshakes/s")
    loads = [0.3 + 0.05 * i for i in range(25)]
    for spread in (10, 30, 60):
        tails = []
        for load in loads:
            moved, _, _, _ = promotion(1_000_000, 1_000_000 / spread / load, spread)
            tails.append(quantile(moved, 0.99))
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
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--clients", type=int, default=5_000)
    options = parser.parse_args()
    if options.check:
        check(options.clients)
        return
    print(f"{'':28} {'clients':>10} {'capacity':>9} {'spread':>6} {'load':>6} {'p50':>7} {'p99':>7} {'max':>7} {'all back':>8} {'given up':>12}")
    for spread in (10, 30, 60):
        line("a million", 1_000_000, 40_000, spread)
    line("a million, plain clients", 1_000_000, 40_000, 30, plain=1.0)
    for spread in (120, 240, 300):
        line("ten million", 10_000_000, 100_000, spread)
    if options.plot:
        plot(options.plot)


main()
