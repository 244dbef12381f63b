#!/usr/bin/env python3
"""Makes the golden files of the tokenizer tests with Hugging Face's `tokenizers` (PyPI).

    make_goldens.py [--shared DIR]     rewrites the *.xz files beside this script

lines.jsonl.xz      10 000 lines of mixed text, one JSON string a line
NAME.golden.xz      for each line: {"i": ids} with special tokens added and recognised,
                    "n": ids with neither, where they differ, "d": the decoded text, where it
                    differs from the line (special tokens skipped)
NAME.tokenizer.xz   the small tokenizers of synthetic.py, whose goldens cover the first lines only
stages.jsonl.xz     single stages: {"stage", "json", "in", "out"}

The real tokenizers (NAME gpt2, qwen2_5) are read from DIR/data/tokenizers.
"""

import argparse
import itertools
import json
import lzma
import pathlib

from tokenizers import Tokenizer

import mixed_text
import stages
import synthetic

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20240229
LINES = 10000
SYNTHETIC_LINES = 700


def write(name, lines):
    data = "".join(line + "\n" for line in lines).encode()
    packed = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    (HERE / name).write_bytes(packed)
    print(f"{name}: {len(lines)} lines, {len(packed)} bytes")


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def goldens(tokenizer, lines):
    for line in lines:
        tokenizer.encode_special_tokens = False
        with_special = tokenizer.encode(line).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(line, add_special_tokens=False).ids
        entry = {"i": with_special}
        if plain != with_special:
            entry["n"] = plain
        decoded = tokenizer.decode(with_special)
        if decoded != line:
            entry["d"] = decoded
        yield dump(entry)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", default=HERE.parents[3] / "shared", type=pathlib.Path,
                        help="folder with data/tinyshakespeare.txt and data/tokenizers")
    args = parser.parse_args()

    prose = (args.shared / "data" / "tinyshakespeare.txt").read_text().splitlines()
    lines = mixed_text.mixed_lines(LINES, SEED, prose)
    write("lines.jsonl.xz", [dump(line) for line in lines])

    for name in ("gpt2", "qwen2_5"):
        packed = args.shared / "data" / "tokenizers" / name / "tokenizer.json.xz"
        tokenizer = Tokenizer.from_str(lzma.decompress(packed.read_bytes()).decode())
        write(f"{name}.golden.xz", list(goldens(tokenizer, lines)))

    training = mixed_text.mixed_lines(3000, SEED + 1, prose) + prose[:6000]
    for make in synthetic.ALL:
        name = make.__name__
        text = dump(make(training))
        write(f"{name}.tokenizer.xz", [text])
        write(f"{name}.golden.xz",
              list(goldens(Tokenizer.from_str(text), itertools.islice(lines, SYNTHETIC_LINES))))

    write("stages.jsonl.xz", [dump(case) for case in stages.cases(lines, SEED + 2)])


if __name__ == "__main__":
    main()
