"""One folder of a family: draws models until one serves, and writes it with its goldens."""

import copy
import json
import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from golden_models.families import FAMILIES
from golden_models.files import save_golden, stored_tensors, versions, write_json, write_weights
from golden_models.runs import MARGIN, check_cached, greedy, logits_of, relative
from golden_models.weights import load, load_rounded, randomise

PROMPT, STEPS = 64, 32
EFFECT = 0.02  # least relative change of the logits when a feature is taken away
DISTINCT = 10  # least number of different tokens among the greedy ones


def effects(family, config, folder, model, ids, expected):
    """How far the logits move, relatively, when one feature is taken away."""
    result = {}
    for label, change in family["features"].items():
        with tempfile.TemporaryDirectory() as scratch:
            changed, state = copy.deepcopy(config), copy.deepcopy(model.state_dict())
            change(changed, state)
            write_json(Path(scratch) / "config.json", changed)
            weaker = AutoModelForCausalLM.from_config(
                AutoConfig.from_pretrained(scratch), attn_implementation="eager", dtype=torch.float32
            )
            weaker.load_state_dict(state)
            weaker.eval()
            result[label] = relative(logits_of(weaker, ids), expected)
    return result


def prompt_ids(vocab, seed):
    """64 different ids drawn over the whole vocabulary, the first and the last id among them."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randperm(vocab, generator=generator)[:PROMPT].tolist()
    for at, must in ((17, 0), (40, vocab - 1)):
        if must not in ids:
            ids[at] = must
    return ids


def attempt(family, config, folder, seed):
    """One draw: (tensors, summary, model), or the reason why it does not serve."""
    model = AutoModelForCausalLM.from_config(
        AutoConfig.from_pretrained(folder), attn_implementation="eager", dtype=torch.float32
    ).eval()
    randomise(model, family, seed)
    prompt = prompt_ids(config["vocab_size"], seed)
    tokens, logits, margin = greedy(model, prompt, STEPS)
    if margin < MARGIN:
        return f"margin {margin:.1e}"
    if len(set(tokens)) < DISTINCT:
        return f"only {len(set(tokens))} different tokens"
    ends = config["eos_token_id"]
    if set(tokens) & set(ends if isinstance(ends, list) else [ends]):
        return "ends early"
    moved = effects(family, config, folder, model, prompt + tokens[:-1], logits)
    if min(moved.values()) < EFFECT:
        return f"effects {moved}"

    write_weights(folder, stored_tensors(model, config), family.get("shards", 1))
    again = load(folder, torch.float32)
    assert relative(logits_of(again, prompt + tokens[:-1]), logits) < 1e-6, "the files do not give the model back"
    check_cached(again, prompt, tokens, logits)

    truth_model = load_rounded(folder)
    truth_tokens, truth, truth_margin = greedy(truth_model, prompt, STEPS)
    if truth_margin < MARGIN:
        return f"margin {truth_margin:.1e} after rounding"
    reference = logits_of(load(folder, torch.bfloat16), prompt + truth_tokens[:-1])
    assert reference.dtype == torch.bfloat16

    def ids32(ids):
        return torch.tensor(ids, dtype=torch.int32)

    tensors = {
        "prompt_ids": ids32(prompt),
        "f32.tokens": ids32(tokens),
        "f32.prefill_logits": logits[:PROMPT],
        "f32.step_logits": logits[PROMPT - 1 :],
        "bf16.tokens": ids32(truth_tokens),
        "bf16.truth.prefill_logits": truth[:PROMPT],
        "bf16.truth.step_logits": truth[PROMPT - 1 :],
        "bf16.reference.prefill_logits": reference[:PROMPT],
        "bf16.reference.step_logits": reference[PROMPT - 1 :],
    }
    summary = {
        "prompt_ids": prompt,
        "f32": {"tokens": tokens, "least_margin": margin, "largest_logit": float(logits.abs().max())},
        "bf16": {
            "tokens": truth_tokens,
            "least_margin": truth_margin,
            "reference_largest_error": float((reference.float() - truth).abs().max()),
            "reference_relative_error": relative(reference, truth),
        },
        "effects": moved,
        "seed": seed,
        "versions": versions(),
    }
    return tensors, summary, model


def make_family(name, out, first_seed, tries):
    family = FAMILIES[name]
    config = family["config"]
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    for seed in range(first_seed, first_seed + tries):
        result = attempt(family, config, folder, seed)
        if isinstance(result, str):
            print(f"{name}: seed {seed}: {result}", flush=True)
            continue
        tensors, summary, model = result
        save_golden(folder, tensors, {"family": name} | summary)
        bf16 = summary["bf16"]
        print(
            f"{name}: seed {seed}, margin {summary['f32']['least_margin']:.3f}, bf16 reference error"
            f" {bf16['reference_relative_error']:.2e}, effects"
            f" { {label: round(value, 3) for label, value in summary['effects'].items()} }",
            flush=True,
        )
        return
    raise SystemExit(f"{name}: none of {tries} seeds served")


def make_llama3_v5(out):
    """The llama3 folder again, config.json as transformers 5 writes it (rope_parameters, dtype)."""
    source, folder = out / "llama3", out / "llama3_v5"
    folder.mkdir(parents=True, exist_ok=True)
    config = AutoConfig.from_pretrained(source)
    config.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    assert "rope_parameters" in written and "rope_scaling" not in written and "rope_theta" not in written
    for file in ("model.safetensors", "golden.safetensors", "golden.json"):
        shutil.copyfile(source / file, folder / file)
    summary = json.loads((folder / "golden.json").read_text())
    ids = summary["prompt_ids"] + summary["f32"]["tokens"][:-1]
    logits = [logits_of(load(path, torch.float32), ids) for path in (folder, source)]
    assert relative(*logits) < 1e-6
    print("llama3_v5: same logits as llama3", flush=True)
