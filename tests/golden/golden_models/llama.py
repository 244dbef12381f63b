"""Llama 2 style, and Llama 3 with its RoPE scaling."""

from golden_models.features import configured, without

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
}
