#!/usr/bin/env python3
"""Linears of an 8B model at few and many rows beside cuBLAS (torch.matmul), in one run and by one meter.

    linear.py QUIRE PLANS [ROUNDS] [ROWS]      on a machine with a GPU, ncu and torch; ROWS such as 1,2,4,8,16

PLANS is what operator-plans wrote, its folder linear. meter.py says how times are taken: kernels alone and cold, so
neither side has the gaps between launches or what overlaps them (graphs, programmatic dependent launch).
"""
import pathlib
import sys

import meter


def matmul(spec):
    def make():
        import torch
        rows, columns, width = spec
        x = torch.randn(rows, columns, device="cuda", dtype=torch.bfloat16)
        w = torch.randn(width, columns, device="cuda", dtype=torch.bfloat16)
        return lambda: torch.matmul(x, w.t())
    return make


def main():
    if sys.argv[1:] == ["--peer"]:
        return meter.run_peer([matmul(spec) for spec in meter.specification()])
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    quire, plans = sys.argv[1], str(pathlib.Path(sys.argv[2]) / "linear")
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    arguments = ["--rows", sys.argv[4] if len(sys.argv) > 4 else "1,2,4,8,16,64,512,2048"]
    meter.check(quire, "linear", [plans], ["--rows", "1"])
    own, other = meter.Samples(), meter.Samples()
    for _ in range(rounds):
        shapes = []
        for row in meter.ours(quire, "linear", [plans], arguments):
            field = meter.fields(row["plan"])
            shapes.append((row["sequences"] * row["queries"], int(field["in_features"]), int(field["out_features"])))
            own.add(shapes[-1], row["us"])
        for key, times in zip(shapes, meter.peer(__file__, shapes)):
            other.add(key, times)
    print(meter.versions())
    print("\nLinears, bf16; cuBLAS / ours, so above 1 we are faster; TB/s of weights below it\n")
    counts = sorted({key[0] for key in shapes})
    print("| weights | " + " | ".join("%d rows" % count for count in counts) + " |\n|---|" + "---|" * len(counts))
    ratios = {count: [] for count in counts}
    for width, columns in dict.fromkeys((key[2], key[1]) for key in shapes):
        cells, rates = [], []
        for count in counts:
            key = (count, columns, width)
            us, theirs = own.median(key), other.median(key)
            ratios[count].append(theirs / us)
            cells.append(meter.ratio(theirs, us))
            rate = "%.2f" % (2 * width * columns / us * 1e-6) if count <= 64 else \
                "%.0f TFLOP/s" % (2 * count * width * columns / us * 1e-6)
            rates.append("%s (%.1f, %.1f us)" % (rate, us, theirs))
        print("| %d x %d | %s |" % (width, columns, " | ".join(cells)))
        print("| | %s |" % " | ".join(rates))
    print("| geomean | %s |" % " | ".join("%.2f" % meter.geomean(ratios[count]) for count in counts))


main()
