#!/usr/bin/env python3
"""Kernels of a prompt beside cuBLAS and cuDNN, in one run and by one meter (Nsight Compute).

    prefill.py QUIRE PLAN MODEL_DIR TOKENS [SEQUENCES]     on a machine with a GPU, ncu and torch

Prompts of TOKENS tokens, SEQUENCES of them in one step (the plan's --max-tokens must hold them all).
The plan is one of a Llama-shaped model in bf16; its shape is read from MODEL_DIR/config.json. Every kernel is
measured alone, with cold caches, at the clocks the GPU chooses; both sides get the median over the launches
seen. Linears of the peer have no epilogue (residual, gate): ours do that in the same kernel. Attention of the
peer reads dense keys and values, ours reads pages.
"""
import json
import pathlib
import re
import statistics
import sys

import meter


def shapes(config):
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or hidden // heads
    kv, ffn = config["num_key_value_heads"], config["intermediate_size"]
    linears = {"query, key, value": ((heads + 2 * kv) * head, hidden), "attention output": (hidden, heads * head),
               "gate and up": (2 * ffn, hidden), "down": (hidden, ffn)}
    return linears, (heads, kv, head)


def peer(config, length, sequences):
    """The peer's operations, three times each; run under ncu."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    linears, (heads, kv, head) = shapes(config)
    tokens = length * sequences
    make = lambda *size: torch.randn(*size, device="cuda", dtype=torch.bfloat16)
    for rows, columns in linears.values():
        x, w = make(tokens, columns), make(rows, columns)
        for _ in range(3):
            torch.matmul(x, w.t())
    q, k, v = (make(sequences, count, length, head) for count in (heads, kv, kv))
    with sdpa_kernel([SDPBackend.CUDNN_ATTENTION]):
        for _ in range(3):
            torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    torch.cuda.synchronize()


def main():
    if len(sys.argv) == 5 and sys.argv[1] == "--peer":
        return peer(json.loads(pathlib.Path(sys.argv[2]).read_text()), int(sys.argv[3]), int(sys.argv[4]))
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    quire, plan, model, length = sys.argv[1:4] + [int(sys.argv[4])]
    sequences = int(sys.argv[5]) if len(sys.argv) == 6 else 1
    tokens = length * sequences
    config_file = str(pathlib.Path(model) / "config.json")
    linears, (heads, kv, head) = shapes(json.loads(pathlib.Path(config_file).read_text()))

    # Three layers, after the first, whose memory is new.
    ours, _ = meter.ncu([quire, "bench", plan, "--model-dir", model, "--device", "cuda", "--prompt", str(length),
                         "--sequences", str(sequences), "--tokens", "2"],
                        ["--kernel-name", "regex:quire_(linear|attention_q[1-9][0-9])",
                         "--launch-skip", "5", "--launch-count", "15"])
    kinds = {"query, key, value": r"quire_linear_r", "attention output": r"quire_linear_add_r",
             "gate and up": r"quire_linear_gate_r", "down": r"quire_linear_add_0_r", "attention": r"quire_attention"}
    mine = {kind: statistics.median(us for name, us in ours if re.match(pattern, name))
            for kind, pattern in kinds.items()}
    theirs, _ = meter.ncu([sys.executable, __file__, "--peer", config_file, str(length), str(sequences)],
                          ["--kernel-name", "regex:nvjet|gemm|cutlass|cudnn|flash|fmha"])
    order = list(linears) + ["attention"]
    if len(theirs) != 3 * len(order):
        sys.exit("expected %d launches of the peer, saw:\n%s" % (3 * len(order), theirs))
    other = {kind: statistics.median(us for _, us in theirs[3 * i:3 * i + 3]) for i, kind in enumerate(order)}

    print("%s, %d prompts of %d tokens\n" % (meter.versions(), sequences, length))
    print("| kernel | Quire us | TFLOP/s | peer us | ratio |\n|---|---|---|---|---|")
    for kind in order:
        flops = 2 * tokens * linears[kind][0] * linears[kind][1] if kind in linears else \
            2 * tokens * length * heads * head
        print("| %s | %.1f | %.0f | %.1f | %.2f |" % (kind, mine[kind], flops / mine[kind] * 1e-6, other[kind],
                                                      other[kind] / mine[kind]))


main()
