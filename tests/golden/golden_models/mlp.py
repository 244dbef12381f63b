"""The model that is no language model."""

import torch
import torch.nn.functional as F

from golden_models.files import save_golden, versions, write_json, write_weights


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
