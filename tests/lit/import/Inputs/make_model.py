#!/usr/bin/env python3
"""Make a variant of a golden model for a test of the importer: same headers, zeros for weights.

    make_model.py OUT GOLDEN [--set FIELD=JSON]... [--remove FIELD]... [--text TEXT]
        [--drop TENSOR]... [--add TENSOR=SHAPE]... [--reshape TENSOR=SHAPE]... [--rename OLD=NEW]...
        [--type DTYPE] [--retype TENSOR=DTYPE]... [--generation JSON] [--no-weights] [--truncate BYTES]
"""
import argparse
import json
import math
import os
import struct
from pathlib import Path

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I32": 4, "I8": 1, "F8_E4M3": 1}


def tensors_of(folder):
    """name -> [dtype, shape] over all weight files."""
    result = {}
    for file in sorted(folder.glob("model*.safetensors")):
        with file.open("rb") as stream:
            header = json.loads(stream.read(struct.unpack("<Q", stream.read(8))[0]))
        header.pop("__metadata__", None)
        result |= {name: [entry["dtype"], entry["shape"]] for name, entry in header.items()}
    return result


def write(path, tensors, truncate):
    header, offset = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = BYTES[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + offset if truncate is None else truncate)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("golden", type=Path)
    for name in ("set", "remove", "drop", "add", "reshape", "rename", "retype"):
        parser.add_argument(f"--{name}", action="append", default=[])
    parser.add_argument("--text")
    parser.add_argument("--type")
    parser.add_argument("--generation")
    parser.add_argument("--no-weights", action="store_true")
    parser.add_argument("--truncate", type=int)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    for old in args.out.iterdir():
        old.unlink()

    config = json.loads((args.golden / "config.json").read_text())
    for edit in args.set:
        field, _, value = edit.partition("=")
        config[field] = json.loads(value)
    for field in args.remove:
        del config[field]
    (args.out / "config.json").write_text(args.text if args.text is not None else json.dumps(config))
    if args.generation is not None:
        (args.out / "generation_config.json").write_text(args.generation)
    if args.no_weights:
        return

    tensors = tensors_of(args.golden)
    for name in args.drop:
        del tensors[name]
    for edit in args.add + args.reshape:
        name, _, shape = edit.partition("=")
        tensors[name] = [tensors.get(name, ["F32"])[0], json.loads(shape)]
    for edit in args.rename:
        old, _, new = edit.partition("=")
        tensors = {(new if name == old else name): entry for name, entry in tensors.items()}
        if old.endswith("*"):
            tensors = {new.replace("*", name): entry for name, entry in tensors.items()}
    if args.type:
        tensors = {name: [args.type, shape] for name, (_, shape) in tensors.items()}
    for edit in args.retype:
        name, _, dtype = edit.partition("=")
        tensors[name][0] = dtype
    write(args.out / "model.safetensors", tensors, args.truncate)


main()
