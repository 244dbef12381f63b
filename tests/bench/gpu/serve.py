#!/usr/bin/env python3
"""Output tokens a second of a whole run: requests of IN tokens that each write OUT tokens, all there at the start.

    serve.py QUIRE PLAN REQUESTS [IN] [OUT] [-- OPTIONS]      such as 512 1000 1000 -- --temperature 0.8 --top-p 0.9

Runs `quire run --file` on random token ids, end to end: tokenizer, scheduling, prompts, sampling, detokenizing and
the file of results. The plan decides how many run together (--max-sequences) and how long a step may be.
Time is taken from the first request to the last token, by the clock of this script less the time to load, and by
the results themselves.
"""
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time


def quantile(values, part):
    values = sorted(values)
    return values[min(int(part * len(values)), len(values) - 1)]


def main():
    options = sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else ["--temperature", "0"]
    words = sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    if not 3 <= len(words) <= 5:
        sys.exit(__doc__)
    quire, plan, requests = words[0], words[1], int(words[2])
    tokens_in, tokens_out = (int(words[i]) if len(words) > i else 1000 for i in (3, 4))
    random.seed(20)
    with tempfile.TemporaryDirectory() as folder:
        prompts, results = pathlib.Path(folder) / "prompts.jsonl", pathlib.Path(folder) / "results.jsonl"
        with prompts.open("w") as file:
            for _ in range(requests):
                ids = [random.randrange(3, 30000) for _ in range(tokens_in)]  # a vocabulary has more
                file.write(json.dumps({"prompt_ids": ids, "max_tokens": tokens_out, "ignore_eos": True}) + "\n")
        start = time.monotonic()
        run = [quire, "run", plan, "--file", str(prompts), "-o", str(results), *options]
        done = subprocess.run(run, stderr=subprocess.PIPE, text=True)
        wall = time.monotonic() - start
        if done.returncode:
            sys.exit("%s\nfailed with %d:\n%s" % (" ".join(run), done.returncode, done.stderr[-2000:]))
        rows = [json.loads(line)["statistics"] for line in results.read_text().splitlines()]
    written = sum(row["new_tokens"] for row in rows)
    if len(rows) != requests or written != requests * tokens_out:
        sys.exit("%d results with %d tokens, not %d of %d each" % (len(rows), written, requests, tokens_out))
    serving = max(row["seconds"] for row in rows)
    print("%d requests of %d tokens, %d written by each, %s" % (requests, tokens_in, tokens_out, " ".join(options)))
    print("| what | figure |\n|---|---|")
    print("| output tokens/s while serving | %.0f |" % (written / serving))
    print("| output tokens/s from process start to end | %.0f |" % (written / wall))
    print("| serving / whole process | %.1f s / %.1f s |" % (serving, wall))
    for name, key in (("first token after", "seconds_to_first_token"), ("time per token", "seconds_per_token"),
                      ("longest pause", "longest_pause")):
        values = [row[key] for row in rows]
        print("| %s, p50 / p99 | %.3f / %.3f s |" % (name, statistics.median(values), quantile(values, 0.99)))


main()
