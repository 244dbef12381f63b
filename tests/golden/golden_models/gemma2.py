"""Gemma 2: soft-caps, alternating windows, four norms, a scaled embedding."""

from golden_models.features import configured, without

FAMILIES = {
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
}
