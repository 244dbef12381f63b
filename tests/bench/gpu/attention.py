#!/usr/bin/env python3
"""Attention of whole prompts beside torch's SDPA (cuDNN and FlashAttention-2), in one run and by one meter.

    attention.py QUIRE PLANS [ROUNDS]      on a machine with a GPU, ncu and torch

PLANS is what operator-plans wrote: folders attention (three head sizes, causal and full), classic (32 x 8 heads of
256, f16) and variants (one shape with other scores and masks, each beside the plain causal one, by useful FLOPs).
The peers read dense keys and values, ours reads pages of 64. meter.py says how times are taken.
"""
import pathlib
import sys

import meter


def sdpa(spec):
    """One operation of a peer; None where it refuses."""
    def make():
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel
        functional = torch.nn.functional.scaled_dot_product_attention
        element = torch.float16 if spec["type"] == "f16" else torch.bfloat16
        q, k, v = (torch.randn(spec["sequences"], count, spec["length"], spec["head"], device="cuda", dtype=element)
                   for count in (spec["heads"], spec["kv_heads"], spec["kv_heads"]))
        if spec["backend"] == "unfused":
            scale = spec["head"] ** -0.5
            return lambda: torch.softmax((q * scale) @ k.transpose(-1, -2), -1) @ v
        backend = {"cudnn": SDPBackend.CUDNN_ATTENTION, "fa2": SDPBackend.FLASH_ATTENTION}[spec["backend"]]

        def run():
            with sdpa_kernel([backend]):
                functional(q, k, v, is_causal=spec["causal"], enable_gqa=spec["heads"] != spec["kv_heads"])
        try:
            run()
        except RuntimeError:
            return None
        return run
    return make


def shape(row):
    field = meter.fields(row["plan"])
    heads = int(field["heads"])
    return {"heads": heads, "kv_heads": int(field.get("kv_heads", heads)), "head": int(field.get("head", 128)),
            "type": field.get("type", "bf16"), "causal": field.get("mask", "causal") == "causal",
            "sequences": row["sequences"], "length": row["queries"]}


def compare(quire, title, plans, arguments, backends, rounds):
    meter.check(quire, "attention", plans, ["--lengths", "256", "--tokens", "256"])
    own, other = meter.Samples(), meter.Samples()
    for _ in range(rounds):
        rows = meter.ours(quire, "attention", plans, arguments, 1)
        for i, row in enumerate(rows):
            own.add(i, row["us"])
        asked = [dict(shape(row), backend=backend) for row in rows for backend in backends]
        for i, times in enumerate(meter.peer(__file__, asked)):
            other.add((i // len(backends), backends[i % len(backends)]), times)
    print("\n%s; peer / ours, so above 1 we are faster\n" % title)
    print("| heads x size | mask | sequences x tokens | %s | ours us | TFLOP/s | %s us |" %
          (" | ".join(backends), " us | ".join(backends)))
    print("|---|---|---|" + "---|" * (2 * len(backends) + 2))
    by_plan = {}
    for i, row in enumerate(rows):
        what, us = shape(row), own.median(i)
        theirs = [other.median((i, backend)) for backend in backends]
        by_plan.setdefault(row["plan"], []).append(theirs[0] and theirs[0] / us)
        print("| %d x %d | %s | %d x %d | %s | %.1f | %.0f | %s |" % (
            what["heads"], what["head"], "causal" if what["causal"] else "full", row["sequences"], row["queries"],
            " | ".join(meter.ratio(time, us) for time in theirs), us, row["flops"] / us * 1e-6,
            " | ".join("" if time is None else "%.1f" % time for time in theirs)))
    for plan, ratios in by_plan.items():
        mean = meter.geomean(ratios)
        print("geomean beside %s, %s: %s" % (backends[0], plan, "none" if mean is None else "%.2f" % mean))


def useful_pairs(name, length):
    """Query and key pairs that the mask of a variant lets through."""
    causal = length * (length + 1) // 2
    if name == "window":
        return sum(min(i + 1, 1024) for i in range(length))
    if name == "prefix":
        return causal + sum(max(min(512, length) - i - 1, 0) for i in range(length))
    if name == "document":
        return sum(i % 1024 + 1 for i in range(length))
    return causal


def variants(quire, plans, rounds):
    own, lengths = meter.Samples(), ["--lengths", "1024,4096"]
    files = sorted(plans.glob("*.plan"))
    meter.check(quire, "attention", [str(plans)], ["--lengths", "256", "--tokens", "256"])
    for _ in range(rounds):
        for file in files:
            for row in meter.ours(quire, "attention", [str(file)], lengths):
                own.add((file.stem, row["queries"]), row["us"])
    print("\nVariants, 16 heads of 128: time of the plain causal kernel for as many useful FLOPs / ours\n")
    print("| variant | tokens | ratio | us | us a million pairs |\n|---|---|---|---|---|")
    for name, length in sorted(own):
        us, pairs = own.median((name, length)), useful_pairs(name, length)
        plain = own.median(("plain", length)) / useful_pairs("plain", length)
        print("| %s | %d | %.2f | %.1f | %.2f |" % (name, length, plain * pairs / us, us,
                                                   us / (pairs * 16384 / length) * 1e6))


def main():
    if sys.argv[1:] == ["--peer"]:
        return meter.run_peer([sdpa(spec) for spec in meter.specification()])
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    quire, plans = sys.argv[1], pathlib.Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) == 4 else 2
    print(meter.versions())
    if (plans / "attention").is_dir():
        compare(quire, "Whole prompts, 16 384 tokens a step, bf16", [str(plans / "attention")], [],
                ["cudnn", "fa2"], rounds)
    if (plans / "classic").is_dir():
        compare(quire, "The classic table, f16", [str(plans / "classic")], ["--tokens", "8192", "--lengths", "256"],
                ["cudnn", "fa2", "unfused"], rounds)
        compare(quire, "The classic table, f16", [str(plans / "classic")], ["--tokens", "32768", "--lengths", "1024"],
                ["cudnn", "fa2", "unfused"], rounds)
    if (plans / "variants").is_dir():
        variants(quire, plans / "variants", rounds)


main()
