"""Random weights, and models read back from their files."""

import torch
from transformers import AutoModelForCausalLM


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
