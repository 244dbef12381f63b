#!/usr/bin/env python3
"""Attention of one new token a sequence beside torch's SDPA on dense keys and values, in one run and by one meter.

    decode.py QUIRE PLANS [ROUNDS]      on a machine with a GPU, ncu and torch

PLANS is what operator-plans wrote: folders decode (contexts up to 8192) and long (up to 131 072), a plan for each
page size, 32 query and 8 key heads of 128, bf16. The peers are cuDNN and FlashAttention-2 with its splits, both on
dense keys and values. meter.py says how times are taken.
"""
import pathlib
import sys

import meter

FOLDERS = {"decode": "1x1024,1x4096,16x8192,64x8192", "long": "1x32768,1x131072,16x32768"}


def sdpa(spec):
    def make():
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel
        sequences, context, backend = spec
        q = torch.randn(sequences, 32, 1, 128, device="cuda", dtype=torch.bfloat16)
        k, v = (torch.randn(sequences, 8, context, 128, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        backend = {"cudnn": SDPBackend.CUDNN_ATTENTION, "fa2": SDPBackend.FLASH_ATTENTION}[backend]

        def run():
            with sdpa_kernel([backend]):
                torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        try:
            run()
        except RuntimeError:
            return None
        return run
    return make


def copy_operation():
    """A gigabyte within the GPU's memory: what shares are taken of."""
    import torch
    source = torch.randn(1 << 28, device="cuda")
    target = torch.empty_like(source)
    return lambda: torch.add(source, 0.0, out=target)


def main():
    if sys.argv[1:] == ["--peer"]:
        specs = meter.specification()
        return meter.run_peer([copy_operation] + [sdpa(spec) for spec in specs])
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    quire, plans = sys.argv[1], pathlib.Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) == 4 else 2
    own, bytes_read = meter.Samples(), {}
    batches = [batch for text in FOLDERS.values() for batch in text.split(",")]
    asked = [(*map(int, batch.split("x")), backend) for batch in batches for backend in ("cudnn", "fa2")]
    other, pages = meter.Samples(), set()
    for folder, text in FOLDERS.items():
        meter.check(quire, "decode", [str(plans / folder)], ["--batches", "1x1024"])
    for _ in range(rounds):
        for folder, text in FOLDERS.items():
            for row in meter.ours(quire, "decode", [str(plans / folder)], ["--batches", text]):
                page = int(meter.fields(row["plan"])["page"])
                batch = "%dx%d" % (row["sequences"], row["context"] + row["queries"])
                own.add((page, batch), row["us"])
                pages.add(page)
                bytes_read[batch] = row["bytes"]
        copy, *times = meter.peer(__file__, asked)
        other.add("copy", copy)
        for (sequences, context, backend), each in zip(asked, times):
            other.add(("%dx%d" % (sequences, context), backend), each)
    copy = 2 * (1 << 30) / other.median("copy") * 1e-6
    print(meter.versions() + ", copy %.2f TB/s" % copy)
    print("\nDecode, 32/8 heads of 128, bf16; cuDNN (dense) / ours (pages), so above 1 we are faster\n")
    pages = sorted(pages)
    print("| sequences x context | %s | fa2 / ours | ours us (page %d) | TB/s | of copy | cudnn us | fa2 us |" %
          (" | ".join("page %d" % page for page in pages), pages[0]))
    print("|---|" + "---|" * (len(pages) + 6))
    for batch in batches:
        us = own.median((pages[0], batch))
        cudnn, fa2 = (other.median((batch, backend)) for backend in ("cudnn", "fa2"))
        rate = bytes_read[batch] / us * 1e-6
        print("| %s | %s | %s | %.1f | %.2f | %.0f %% | %s | %s |" % (
            batch, " | ".join(meter.ratio(cudnn, own.median((page, batch))) for page in pages),
            meter.ratio(fa2, us), us, rate, 100 * rate / copy,
            *("" if time is None else "%.1f" % time for time in (cudnn, fa2))))


main()
