#!/usr/bin/env python3
"""Make the tiny golden models of tests/golden/models, and the golden of the demo model.

For every family: a random model of a few hundred kB in Hugging Face format and what Hugging Face
transformers computes with it (eager attention, CPU): logits of a 64-token prompt and of 32 greedy steps,
in f32, with bf16-rounded weights in f32 arithmetic, and in bf16 throughout. README.md there describes
the files. The weights are drawn so that every feature of the family matters: the script measures how
far the logits move when a feature is taken away, and draws again until each moves them, every greedy
choice is clear and the text does not merely repeat itself.

    tests/golden/make_models.py                      all folders, and demo.json
    tests/golden/make_models.py --only qwen2 gpt2    these families
    tests/golden/make_models.py --only demo          demo.json from models/demo

Needs torch, transformers, tokenizers and safetensors; takes about a minute on a CPU.
"""

import argparse
from pathlib import Path

import torch
import transformers

from golden_models.demo import make_demo
from golden_models.families import FAMILIES
from golden_models.family import make_family, make_llama3_v5
from golden_models.mlp import make_mlp

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main():
    names = [*FAMILIES, "llama3_v5", "mlp", "demo"]
    parser = argparse.ArgumentParser(
        description="Make the tiny golden models and what Hugging Face transformers computes with them.",
        epilog="example: tests/golden/make_models.py --only qwen2 gpt2",
    )
    parser.add_argument("--out", type=Path, default=HERE / "models", help="(%(default)s)")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="folders to make (all)")
    parser.add_argument("--demo", type=Path, default=ROOT / "models" / "demo", help="demo model (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="first seed tried (%(default)s)")
    parser.add_argument("--tries", type=int, default=200, help="seeds tried at most (%(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation
    transformers.utils.logging.disable_progress_bar()
    for name in args.only:
        if name in FAMILIES:
            make_family(name, args.out, args.seed, args.tries)
        elif name == "llama3_v5":
            make_llama3_v5(args.out)
        elif name == "mlp":
            make_mlp(args.out, args.seed)
        else:
            args.out.mkdir(parents=True, exist_ok=True)
            make_demo(args.demo, args.out / "demo.json")


if __name__ == "__main__":
    main()
