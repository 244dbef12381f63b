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
import copy
import json
import shutil
import tempfile
from pathlib import Path

import tokenizers
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

PROMPT, STEPS = 64, 32
MARGIN = 5e-3  # least distance between the best and the second logit of a greedy step
EFFECT = 0.02  # least relative change of the logits when a feature is taken away
DISTINCT = 10  # least number of different tokens among the greedy ones

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 96,
    "max_position_embeddings": 256,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "use_cache": True,
    "vocab_size": 256,
}

LLAMA3_SCALING = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 32,
    "rope_type": "llama3",
}

QWEN = {
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 96,
    "max_position_embeddings": 256,
    "max_window_layers": 2,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "sliding_window": 16,  # present but off, as in the published configurations
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 288,
}


def without(pattern, value):
    """A feature taken away by setting every parameter whose name contains `pattern` to `value`."""

    def change(config, state):
        hits = [name for name in state if pattern in name]
        assert hits, pattern
        for name in hits:
            state[name].fill_(value)

    return change


def configured(**changes):
    """A feature taken away by other fields in config.json."""
    return lambda config, state: config.update(changes)


# Per family: config.json as published models of that family spell it, the scale of its random weights
# (`embedding` standard deviation, `query_key` gain over 1/sqrt(fan in), `norm` and `final_norm` mean of the
# norm weights), and the features that must matter.
FAMILIES = {
    "llama": {
        "config": LLAMA | {"num_hidden_layers": 3},
        "features": {"rotation": configured(rope_theta=1e30), "norm weights": without("norm", 1.0)},
    },
    "llama3": {
        "config": LLAMA
        | {
            "eos_token_id": [2, 5, 7],
            "head_dim": 32,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_scaling": LLAMA3_SCALING,
            "vocab_size": 272,
        },
        "features": {"rope scaling": configured(rope_scaling=None)},
    },
    "mistral": {
        "config": {
            "architectures": ["MistralForCausalLM"],
            "attention_dropout": 0.0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "head_dim": 32,
            "hidden_act": "silu",
            "hidden_size": 64,
            "initializer_range": 0.02,
            "intermediate_size": 96,
            "max_position_embeddings": 256,
            "model_type": "mistral",
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "sliding_window": 24,
            "tie_word_embeddings": False,
            "torch_dtype": "float32",
            "use_cache": True,
            "vocab_size": 256,
        },
        "features": {
            "sliding window": configured(sliding_window=None),
            "window off by one": configured(sliding_window=25),
        },
    },
    "qwen2": {
        "config": QWEN | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"},
        "shards": 2,
        "features": {
            "q bias": without("q_proj.bias", 0.0),
            "k bias": without("k_proj.bias", 0.0),
            "v bias": without("v_proj.bias", 0.0),
            "window stays off": configured(use_sliding_window=True, max_window_layers=0),
        },
    },
    "qwen3": {
        "config": QWEN
        | {
            "architectures": ["Qwen3ForCausalLM"],
            "attention_bias": False,
            "head_dim": 32,
            "model_type": "qwen3",
            "sliding_window": None,
            "vocab_size": 320,
        },
        "features": {"q norm": without("q_norm", 1.0), "k norm": without("k_norm", 1.0)},
    },
    "gemma2": {
        "config": {
            "architectures": ["Gemma2ForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "attn_logit_softcapping": 5.0,
            "bos_token_id": 2,
            "eos_token_id": 1,
            "final_logit_softcapping": 3.0,
            "head_dim": 32,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh",
            "hidden_size": 96,  # sqrt(96) is no bf16 number
            "initializer_range": 0.02,
            "intermediate_size": 96,
            "max_position_embeddings": 256,
            "model_type": "gemma2",
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "pad_token_id": 0,
            "query_pre_attn_scalar": 24,
            "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0,
            "sliding_window": 16,
            "torch_dtype": "float32",
            "use_cache": True,
            "vocab_size": 256,
        },
        "embedding": 0.04,  # small, or the tied head would repeat the last token for ever
        "query_key": 2.0,
        "norm": 0.0,  # this family multiplies by 1 + weight
        "final_norm": 2.0,
        "features": {
            "attention soft-cap": configured(attn_logit_softcapping=None),
            "final soft-cap": configured(final_logit_softcapping=None),
            "sliding window": configured(layer_types=["full_attention", "full_attention"]),
            "alternation": configured(layer_types=["full_attention", "sliding_attention"]),
            "query scale": configured(query_pre_attn_scalar=32),
            "input norm": without("input_layernorm", 0.0),
            "post-attention norm": without("post_attention_layernorm", 0.0),
            "pre-feedforward norm": without("pre_feedforward_layernorm", 0.0),
            "post-feedforward norm": without("post_feedforward_layernorm", 0.0),
        },
    },
    "gpt2": {
        "config": {
            "activation_function": "gelu_new",
            "architectures": ["GPT2LMHeadModel"],
            "attn_pdrop": 0.1,
            "bos_token_id": 2,
            "embd_pdrop": 0.1,
            "eos_token_id": 2,
            "initializer_range": 0.02,
            "layer_norm_epsilon": 1e-5,
            "model_type": "gpt2",
            "n_ctx": 96,
            "n_embd": 64,
            "n_head": 4,
            "n_layer": 2,
            "n_positions": 96,
            "resid_pdrop": 0.1,
            "summary_activation": None,
            "summary_first_dropout": 0.1,
            "summary_proj_to_labels": True,
            "summary_type": "cls_index",
            "summary_use_proj": True,
            "vocab_size": 257,
        },
        "embedding": 0.3,
        "features": {
            "positions": without("wpe", 0.0),
            "attention bias": without("c_attn.bias", 0.0),
            "attention output bias": without("attn.c_proj.bias", 0.0),
            "feedforward bias": without("c_fc.bias", 0.0),
            "norm biases": lambda config, state: [
                state[name].fill_(0.0) for name in state if "ln_" in name and name.endswith("bias")
            ],
        },
    },
}


# ---- making a model -------------------------------------------------------------------------------


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def randomise(model, family, seed):
    """Draws every parameter anew, in the order of their names."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        fan_in = parameter.shape[0] if type(owner(model, name)).__name__ == "Conv1D" else parameter.shape[-1]
        if name.endswith("bias"):
            value = 0.4 * noise
        elif parameter.ndim == 1:  # norm weights
            mean = family.get("norm", 1.0)
            value = (family.get("final_norm", mean) if name == "model.norm.weight" else mean) + 0.3 * noise
        elif "embed_tokens" in name or "wte" in name or "wpe" in name:
            value = family.get("embedding", 0.35) * noise
        elif "lm_head" in name:
            value = 3.0 * noise / fan_in**0.5
        elif "q_proj" in name or "k_proj" in name or "c_attn" in name:
            value = family.get("query_key", 1.5) * noise / fan_in**0.5
        else:
            value = noise / fan_in**0.5
        with torch.no_grad():
            parameter.copy_(value)


def owner(model, parameter_name):
    return model.get_submodule(parameter_name.rsplit(".", 1)[0])


def stored_tensors(model, config):
    """Names and tensors of the file, as published files of the family have them."""
    tensors = {name: value.detach().clone().contiguous() for name, value in sorted(model.named_parameters())}
    if config["model_type"] == "gpt2":
        # The published GPT-2 file names its tensors without the prefix and carries each layer's causal mask.
        tensors = {name.removeprefix("transformer."): value for name, value in tensors.items()}
        mask = torch.ones(config["n_positions"], config["n_positions"]).tril()[None, None]
        for layer in range(config["n_layer"]):
            tensors[f"h.{layer}.attn.bias"] = mask.clone()
    return tensors


def write_weights(folder, tensors, shards):
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    if shards == 1:
        save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
        return
    names = list(tensors)
    weight_map = {}
    for shard in range(shards):
        part = names[len(names) * shard // shards : len(names) * (shard + 1) // shards]
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        save_file({name: tensors[name] for name in part}, str(folder / file), metadata={"format": "pt"})
        weight_map |= {name: file for name in part}
    total = sum(value.numel() * value.element_size() for value in tensors.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def load(folder, dtype):
    """The model of a folder, every weight of the file used, the rotation table in f32 whatever the dtype."""
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True
    )
    missing = [name for name in info["missing_keys"] if name != "lm_head.weight"]
    assert not missing and not info["mismatched_keys"], info
    for name, buffer in model.named_buffers():
        assert "inv_freq" not in name or buffer.dtype == torch.float32, name
    return model.eval()


def load_rounded(folder):
    """Weights rounded to bf16, arithmetic in f32: the truth that bf16 results are measured against."""
    model = load(folder, torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16().float())
        for name, buffer in model.named_buffers():
            if name.endswith("embed_scale"):  # the family rounds sqrt(hidden size) to the model's dtype
                buffer.copy_(buffer.bfloat16().float())
    return model


# ---- goldens --------------------------------------------------------------------------------------


@torch.no_grad()
def logits_of(model, ids):
    """Logits [tokens, vocab] in the model's dtype."""
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


@torch.no_grad()
def greedy(model, prompt, steps):
    """(tokens, logits [prompt + steps - 1, vocab], least margin), by the whole sequence anew each step."""
    ids, margins = list(prompt), []
    for _ in range(steps):
        logits = logits_of(model, ids)
        best = logits[-1].float().topk(2)
        margins.append(float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    assert logits[len(prompt) - 1 :].argmax(-1).tolist() == ids[len(prompt) :]
    return ids[len(prompt) :], logits, min(margins)


@torch.no_grad()
def check_cached(model, prompt, tokens, expected):
    """The same logits must come out of prefill + decode through the cache."""
    out = model(input_ids=torch.tensor([prompt]), use_cache=True)
    rows = [out.logits[0]]
    for token in tokens[:-1]:
        out = model(input_ids=torch.tensor([[token]]), past_key_values=out.past_key_values, use_cache=True)
        rows.append(out.logits[0])
    error = float((torch.cat(rows) - expected).abs().max() / expected.abs().max())
    assert error < 2e-5, f"cached and uncached logits differ by {error}"


def relative(value, reference):
    return float((value.float() - reference.float()).norm() / reference.float().norm())


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


def versions():
    return {"torch": torch.__version__, "transformers": transformers.__version__}


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


def save_golden(folder, tensors, summary):
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, str(folder / "golden.safetensors"))
    write_json(folder / "golden.json", summary)


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


def make_mlp(out, seed):
    """A multi-layer perceptron: in_features -> hidden -> ... -> out_features, activation between."""
    folder = out / "mlp"
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["QuireMLP"],
        "model_type": "quire_mlp",
        "in_features": 48,
        "hidden": 96,
        "out_features": 10,
        "layers": 4,
        "activation": "gelu",
        "torch_dtype": "float32",
    }
    write_json(folder / "config.json", config)
    generator = torch.Generator().manual_seed(seed)
    hidden = [f"hidden.{layer}" for layer in range(config["layers"] - 2)]
    sizes = [config["in_features"]] + [config["hidden"]] * (config["layers"] - 1) + [config["out_features"]]
    names = ["input"] + hidden + ["output"]
    weights = {}
    for name, fan_in, fan_out in zip(names, sizes, sizes[1:]):
        weights[f"{name}.weight"] = 1.5 * torch.randn(fan_out, fan_in, generator=generator) / fan_in**0.5
        weights[f"{name}.bias"] = 0.4 * torch.randn(fan_out, generator=generator)
    write_weights(folder, weights, 1)
    rows = torch.randn(37, config["in_features"], generator=generator)
    activations = {
        "gelu": F.gelu,
        "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "relu": F.relu,
        "silu": F.silu,
        "tanh": torch.tanh,
    }
    tensors = {"input": rows}
    for label, activation in activations.items():
        x = rows.double()
        for name in names:
            x = F.linear(x, weights[f"{name}.weight"].double(), weights[f"{name}.bias"].double())
            x = x if name == "output" else activation(x)
        tensors[f"output.{label}"] = x.float()
    save_golden(folder, tensors, {"family": "mlp", "seed": seed, "rows": len(rows), "versions": versions()})
    print(f"mlp: seed {seed}", flush=True)


DEMO_PROMPTS = [
    "ROMEO:\n",
    "KING RICHARD III:\nNow is the winter",
    "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\n",
    "JULIET:\nO Romeo, Romeo!",
    "To be, or not to be",
    "The",
    "DUKE VINCENTIO:\nMy lord, I know not what to say; but if the king\nWill hear me",
    "QUEEN MARGARET:\nWhat, is he dead?\n\nGLOUCESTER:\n",
    "Second Murderer:\n",
    "PETRUCHIO:\nCome, Kate,",
]


@torch.no_grad()
def make_demo(model_dir, file):
    """Greedy continuations of the demo model: its bf16 weights, f32 arithmetic."""
    tokenizer = tokenizers.Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32, attn_implementation="eager").eval()
    cases = []
    for prompt in DEMO_PROMPTS:
        ids = tokenizer.encode(prompt).ids
        tokens, logits, margin = greedy(model, ids, 64)
        if margin < MARGIN:
            print(f"demo: left out {prompt!r}: margin {margin:.1e}", flush=True)
            continue
        check_cached(model, ids, tokens, logits)
        top = logits[len(ids) - 1 :].topk(8)
        cases.append(
            {
                "prompt": prompt,
                "prompt_ids": ids,
                "tokens": tokens,
                "text": tokenizer.decode(tokens, skip_special_tokens=False),
                "least_margin": margin,
                "top_ids": top.indices.tolist(),
                "top_logits": [[round(x, 5) for x in row] for row in top.values.tolist()],
            }
        )
    assert cases, "no prompt with clear choices"
    # One line a case and a field: the lists are long and read by programs.
    lines = ",\n  ".join(json.dumps(case, ensure_ascii=False) for case in cases)
    file.write_text(f'{{"versions": {json.dumps(versions())},\n "cases": [\n  {lines}\n ]}}\n')
    print(f"demo: {len(cases)} of {len(DEMO_PROMPTS)} prompts, least margin {min(c['least_margin'] for c in cases):.4f}")


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
