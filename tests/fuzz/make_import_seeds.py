#!/usr/bin/env python3
"""Write seeds for QuireConfigFuzz and QuireTemplateFuzz and a dictionary of the template language.

    make_import_seeds.py OUT      makes OUT/config, OUT/template and OUT/import.dict
"""
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gpt2", "mlp"]  # as in ImportFuzz.h
LINES = """x = linear(rows, square, vector)
s = select(key <= query and query - key < 3, s * (1 + 0.1 * cos(query - key)), -inf)
p = softmax(s, heads)
x = merge_heads(mix(p, cache, 'v'))
x = rms_norm(x, vector, 1e-6, offset = 1)
x = layer_norm(x, vector, null, 1e-5)
q = rotate(q, rotary_table(rope_default(8, 1e4), 2), interleaved = true)
t = rotary_table(rope_yarn(8, 1e4, 4, 4096, 32, 1, false))
f = rope_longrope(8, 1e4, [1, 2, 3, 4])
f = rope_llama3(8, 1e4, 8, 1, 4, 8192)
x = twice(x) ** 3 / tanh(x) if true else x
y = pick(rows)
y = loop(1)
y = 'a{n}b{text}'
x = columns(linear(x, wide), n, 3 * n)
z = max(query, 3) // 2 % 5 == min(key, 1)
z = erf(x) + erf(1) - floor(2.5)
z = get(settings, 'a', has(settings, 'b'))
z = kinds[1] in ['a', 'b'] or not flag
z = rounded(sqrt(32), table)
d = cache_append('d', 16, latent = q)
x = take_rows(x)""".split("\n")


def compact(path):
    return json.dumps(json.loads(path.read_text()), separators=(",", ":"))


def main():
    out = Path(sys.argv[1])
    for folder in ("config", "template"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for index, family in enumerate(FAMILIES):
        text = compact(ROOT / "tests/golden/models" / family / "config.json").encode()
        (out / "config" / family).write_bytes(bytes([index, 0]) + text)
        for first in range(0, 256, 8):  # edits: (field, value) pairs
            edits = bytes(value for at in range(4) for value in ((first + at) % 256, (7 * first + at) % 256))
            (out / "config" / f"{family}.{first}").write_bytes(bytes([index, 1]) + edits)
    for path in [*(ROOT / "models").glob("*.json"), *(ROOT / "models/parts").glob("*.json")]:
        (out / "template" / path.name).write_text(compact(path))
    for at in range(len(LINES)):
        (out / "template" / f"lines.{at}").write_text("\n".join(LINES[at : at + 4]))
    words = {word for line in LINES for word in re.findall(r"[a-z_0-9]+", line)}
    words |= {'"case":', '"of":{', '"for":', '"count":', '"do":[', '"when":', '"otherwise":[', " if ", " else ", "**", "//"}
    escaped = [word.replace("\\", "\\\\").replace('"', '\\"') for word in sorted(words)]
    (out / "import.dict").write_text("".join(f'"{word}"\n' for word in escaped))


main()
