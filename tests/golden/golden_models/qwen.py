"""Qwen2 with biases, Qwen3 with norms of query and key heads."""

from golden_models.features import configured, without

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

FAMILIES = {
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
}
