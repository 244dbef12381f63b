#!/bin/sh
# make_model.sh DIR LAYERS [HIDDEN [CONTEXT]]: a model directory whose weights are all zero, which is all that
# tests of structure and memory need. Its 2048 tokens are those of the demo model.
set -eu
directory=$1 layers=$2 hidden=${3:-64} context=${4:-512}
demo=$(cd "$(dirname "$0")/../../models/demo" && pwd)
ffn=$((2 * hidden)) key=$((hidden / 2)) offset=0 header=
mkdir -p "$directory"
tensor() { # NAME ROWS COLUMNS (bf16; 1 column: a vector)
  shape=$2 bytes=$((2 * $2 * $3))
  [ "$3" -eq 1 ] || shape=$2,$3
  header="$header${header:+,}\"$1\":{\"dtype\":\"BF16\",\"shape\":[$shape],\"data_offsets\":[$offset,$((offset + bytes))]}"
  offset=$((offset + bytes))
}
tensor model.embed_tokens.weight 2048 "$hidden"
tensor model.norm.weight "$hidden" 1
layer=0
while [ "$layer" -lt "$layers" ]; do
  at=model.layers.$layer
  tensor "$at.input_layernorm.weight" "$hidden" 1
  tensor "$at.post_attention_layernorm.weight" "$hidden" 1
  tensor "$at.self_attn.q_proj.weight" "$hidden" "$hidden"
  tensor "$at.self_attn.k_proj.weight" "$key" "$hidden"
  tensor "$at.self_attn.v_proj.weight" "$key" "$hidden"
  tensor "$at.self_attn.o_proj.weight" "$hidden" "$hidden"
  tensor "$at.mlp.gate_proj.weight" "$ffn" "$hidden"
  tensor "$at.mlp.up_proj.weight" "$ffn" "$hidden"
  tensor "$at.mlp.down_proj.weight" "$hidden" "$ffn"
  layer=$((layer + 1))
done
header="{$header}"
# The length of the header as eight bytes, the lowest first; then the header; then zeros.
length=${#header} word=
for byte in 0 1 2 3 4 5 6 7; do
  word=$word$(printf '\\%03o' $(((length >> (8 * byte)) & 255)))
done
{ printf "$word"; printf '%s' "$header"; } >"$directory/model.safetensors"
truncate -s $((8 + length + offset)) "$directory/model.safetensors"
cat >"$directory/config.json" <<END
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": $hidden,
 "intermediate_size": $ffn, "num_hidden_layers": $layers, "num_attention_heads": 4, "num_key_value_heads": 2,
 "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true, "vocab_size": 2048,
 "max_position_embeddings": $context, "torch_dtype": "bfloat16", "eos_token_id": 0}
END
cp "$demo/tokenizer.json" "$directory/"
