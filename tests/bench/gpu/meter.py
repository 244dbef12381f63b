"""What the scripts here share: one meter for both sides.

Every kernel is timed by Nsight Compute (gpu__time_duration): alone, with cold caches, at the clocks that the GPU
chooses. An operation of several kernels (a split and its merge) counts the sum. Ours are launched by `quire
bench`, whose JSON says which kernels a step has; the peer's run in a child of the same script, each operation
behind a marker kernel. Rounds alternate between the sides.
"""
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile

MARKER = "erfinv"  # a kernel that no operation here launches


def ncu(command, options):
    """(kernel, microseconds) of the launches that `options` choose, in order, and the command's own output."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as log:
        run = ["ncu", "--csv", "--log-file", log.name, "--clock-control", "none",
               "--metrics", "gpu__time_duration.sum"] + options + command
        done = subprocess.run(run, stdout=subprocess.PIPE, text=True)
        text = open(log.name).read()
    if done.returncode or '"ID"' not in text:
        sys.exit("%s\nfailed with %d:\n%s" % (" ".join(run), done.returncode, text[-2000:]))
    scale = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6, "nsecond": 1e-3, "usecond": 1, "msecond": 1e3}
    rows = csv.DictReader(io.StringIO(text[text.index('"ID"'):]))
    return [(row["Kernel Name"], float(row["Metric Value"].replace(",", "")) * scale[row["Metric Unit"]])
            for row in rows if row.get("Metric Value")], done.stdout


def check(quire, command, plans, arguments):
    """Lets `quire bench COMMAND` check the outputs of the plans; one round of a small shape is measured beside it."""
    subprocess.run([quire, "bench", command, *plans, "--device", "cuda", "--rounds", "1", "--json", *arguments],
                   stdout=subprocess.DEVNULL, check=True)


def ours(quire, command, plans, arguments, rounds=2):
    """Rows of `quire bench COMMAND`, each with "us": what the meter says of a step, for every round."""
    run = [quire, "bench", command, *plans, "--device", "cuda", "--json", "--no-check", "--rounds", str(rounds)]
    launches, output = ncu(run + arguments, ["--kernel-name", "regex:quire_(attention|linear)"])
    rows = json.loads(output)["rows"]
    place = 0
    for row in rows:
        steps = []
        for _ in range(1 + rounds):
            step = launches[place:place + len(row["launches"])]
            names = [name.split("(")[0] for name, _ in step]
            if names != ["quire_" + name for name in row["launches"]]:
                sys.exit("the meter saw %s, the step launches %s" % (names, row["launches"]))
            steps.append(sum(us for _, us in step))
            place += len(step)
        row["us"] = steps[1:]  # without the one that warms up
    if place != len(launches):
        sys.exit("the meter saw %d launches, the rows have %d" % (len(launches), place))
    return rows


def run_peer(operations, repeats=3):
    """In the child: each operation, a callable that makes its inputs and returns what to repeat."""
    import torch
    marker = torch.zeros(32, device="cuda")
    for make in operations:
        operation = make()
        if operation:
            operation()  # chooses its kernels, allocates
        torch.cuda.synchronize()
        torch.cuda.profiler.start()
        marker.erfinv_()
        for _ in range(repeats if operation else 0):
            operation()
        torch.cuda.synchronize()
        torch.cuda.profiler.stop()
        del operation
        torch.cuda.empty_cache()


def peer(script, specification, repeats=3):
    """Microseconds of each operation that the script's child runs for `specification` (any JSON), a list for
    each; None for one that the peer does not have. The first repetition warms up."""
    os.environ["QUIRE_PEER"] = json.dumps(specification)
    launches, _ = ncu([sys.executable, script, "--peer"], ["--profile-from-start", "off"])
    groups = []
    for name, us in launches:
        if MARKER in name:
            groups.append([])
        else:
            groups[-1].append(us)
    results = []
    for group in groups:
        if len(group) % repeats:
            sys.exit("%d launches of a peer's operation are not those of %d repetitions" % (len(group), repeats))
        size = len(group) // repeats
        results.append([sum(group[i * size:(i + 1) * size]) for i in range(1, repeats)] if size else None)
    return results


def specification():
    """What the parent asked this child for."""
    return json.loads(os.environ["QUIRE_PEER"])


class Samples(dict):
    """Microseconds by key, over all rounds."""

    def add(self, key, values):
        if values:
            self.setdefault(key, []).extend(values)

    def median(self, key):
        return statistics.median(self[key]) if key in self else None


def fields(signature):
    """An operator's signature as a dictionary: "attention heads=16 mask=full" has "" (its name) and its fields."""
    import shlex
    words = shlex.split(signature)
    result = {"": words[0]}
    for word in words[1:]:
        key, _, value = word.partition("=")
        result[key] = value or "true"
    return result


def ratio(other, own):
    return "" if other is None or own is None else "%.2f" % (other / own)


def versions():
    """One line about the machine and the peers."""
    import torch
    driver = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                            capture_output=True, text=True).stdout.strip()
    return "%s, driver %s, CUDA %s, torch %s, cuDNN %s" % (
        torch.cuda.get_device_name(), driver, torch.version.cuda, torch.__version__, torch.backends.cudnn.version())


def geomean(values):
    values = [value for value in values if value]
    return statistics.geometric_mean(values) if values else None
