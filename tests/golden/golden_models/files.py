"""The files of a model folder."""

import json

import torch
import transformers
from safetensors.torch import save_file


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


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


def save_golden(folder, tensors, summary):
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, str(folder / "golden.safetensors"))
    write_json(folder / "golden.json", summary)


def versions():
    return {"torch": torch.__version__, "transformers": transformers.__version__}
