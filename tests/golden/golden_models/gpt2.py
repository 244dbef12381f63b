"""GPT-2: layer norm, learned positions, transposed weights."""

from golden_models.features import without

FAMILIES = {
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
