#!/usr/bin/env python3
"""Writes the seed corpus of the tokenizer fuzzer into the given folder from the golden files."""

import json
import lzma
import pathlib
import sys

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "tokenizers"
KINDS = {"normalizer": "n", "pre_tokenizer": "p", "decoder": "d"}


def lines_of(name):
    return lzma.decompress((GOLDEN / name).read_bytes()).decode().rstrip("\n").split("\n")


def shrink(file, keep=40):
    """A tokenizer with the first merges or pieces only, so that mutations hit its structure."""
    model = file["model"]
    if model["type"] == "BPE":
        merges = [m.split(" ") if isinstance(m, str) else m for m in model["merges"][:keep]]
        tokens = {t for left, right in merges for t in (left, right, left + right)}
        tokens |= {t for t in ("<unk>", "[UNK]", "<0x41>", "<0xE2>") if t in model["vocab"]}
        model["vocab"] = {t: i for i, t in enumerate(sorted(tokens))}
        model["merges"] = merges
    else:
        model["vocab"] = model["vocab"][:keep]
    return file


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    texts = [json.loads(line) for line in lines_of("lines.jsonl.xz")[:400]]
    seeds = []
    for path in sorted(GOLDEN.glob("*.tokenizer.xz")):
        file = shrink(json.loads(lines_of(path.name)[0]))
        seeds.append("f" + json.dumps(file))
        seeds.append("m" + json.dumps(file["model"]))
        seeds += ["o" + json.dumps(file["post_processor"])] if file["post_processor"] else []
    seen = set()
    for case in map(json.loads, lines_of("stages.jsonl.xz")):
        stage = json.dumps(case["json"])
        if stage in seen:
            continue
        seen.add(stage)
        seeds.append(KINDS[case["stage"]] + stage)
        pattern = case["json"].get("pattern", {}).get("Regex")
        if pattern:
            seeds.append("r" + pattern)
    seeds.append("c" + json.dumps({"bos_token": "<x>", "eos_token": {"content": "b a"},
                                   "add_bos_token": True, "added_tokens_decoder":
                                   {"3": {"content": "q", "special": True}}}))
    for i, seed in enumerate(seeds):
        text = texts[i % len(texts)]
        (out / f"seed{i:04}").write_bytes(seed.encode() + b"\xff" + text.encode()[:200])
    (out / "vocab").write_bytes(b'v{"a":0,"b":1,"ab":2,"\xc4\xa0":3}\xff#version: 0.2\na b\n')
    print(f"{len(seeds) + 1} seeds in {out}")


if __name__ == "__main__":
    main()
