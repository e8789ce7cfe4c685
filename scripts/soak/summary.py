#!/usr/bin/env python3
"""Adds up what the clients and the promotions of a soak have reported: one JSON object on stdout.

usage: summary.py STATE-FOLDER
"""

import json
import pathlib
import sys

SUMS = ["clients", "sent", "acknowledged", "lost", "duplicated", "reordered", "reconnects", "unverified"]


def main():
    state = pathlib.Path(sys.argv[1])
    reports = objects(state / "clients.json") + objects(state / "visitors.json")
    promotions = objects(state / "promotions.json")
    summary = {name: sum(report[name] for report in reports) for name in SUMS}
    summary["longest_gap_ms"] = max((report["gap_ms"]["max"] for report in reports), default=0)
    summary["crowds"] = len(reports)
    summary["promotions"] = sum(p["result"] == "promoted" for p in promotions)
    summary["promotions_failed"] = len(promotions) - summary["promotions"]
    json.dump(summary, sys.stdout, indent=2)
    print()


def objects(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    main()
