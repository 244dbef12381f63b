#!/bin/sh
# Damaged models, plans, prompts and outputs: every one ends with one line on standard error that begins
# with the program's name and says what is wrong, with the documented exit code, and leaves no file.
#
#   tests/e2e/bad_input.sh PATH/TO/quire      (quire-compile lies beside it)
set -u
quire=${1:?usage: bad_input.sh PATH/TO/quire}
compiler=$(dirname "$quire")/quire-compile
make=$(cd "$(dirname "$0")/../traps" && pwd)/make_model.sh
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME="$scratch/cache"
failures=0
checks=0
model=$scratch/model
out=$scratch/out
mkdir "$out"

report() {
  failures=$((failures + 1))
  echo "FAILED: $1"
  sed 's/^/    stdout: /' "$scratch/stdout" | head -3
  sed 's/^/    stderr: /' "$scratch/stderr" | head -5
}

# expect NAME CODE PATTERN COMMAND…
expect() {
  name=$1 code=$2 pattern=$3
  shift 3
  checks=$((checks + 1))
  "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
  got=$?
  if [ "$got" -ne "$code" ]; then
    report "$name: exit code $got, expected $code"
  elif [ "$(wc -l <"$scratch/stderr")" -ne 1 ]; then
    report "$name: not one line"
  elif ! grep -Eq "^quire(-compile)?: error: .*($pattern)" "$scratch/stderr"; then
    report "$name: no error about $pattern"
  elif [ -s "$scratch/stdout" ]; then
    report "$name: wrote to standard output"
  elif [ -n "$(ls -A "$out")" ]; then
    report "$name: left $(ls -A "$out")"
    rm -rf "${out:?}"/*
  elif [ -n "$(find "$scratch/cache" -type f 2>/dev/null)" ]; then
    report "$name: left $(find "$scratch/cache" -type f)"
    rm -rf "$scratch/cache"
  elif [ -n "${VERBOSE:-}" ]; then
    echo "$name ($code): $(cat "$scratch/stderr")"
  fi
}

# A fresh model of two layers, 64 columns and 64 tokens of context.
fresh() {
  rm -rf "$model"
  "$make" "$model" 2 64 64 || exit 1
}
refuse() { # NAME CODE PATTERN: the compiler must refuse the model, and so must `quire run`
  expect "$1" "$2" "$3" "$compiler" -q "$model" -o "$out/model.plan"
  expect "$1, run" "$2" "$3" "$quire" run "$model" -p x -q
}
config() { # NAME CODE PATTERN SED: a changed configuration
  fresh
  sed -i -E "$4" "$model/config.json"
  refuse "$1" "$2" "$3"
}
header() { # NAME CODE PATTERN SED: a changed header of the weights, of the same length
  fresh
  LC_ALL=C sed -i -E "1$4" "$model/model.safetensors"
  refuse "$1" "$2" "$3"
}
poke() { # FILE OFFSET BYTES(octal)
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# The undamaged model compiles: what follows is refused for its damage.
fresh
"$compiler" -q "$model" -o "$scratch/good.plan" >/dev/null || { echo "the sound model does not compile"; exit 1; }

# Weights.
fresh; rm "$model/model.safetensors"; refuse 'no weights' 3 'safetensors'
fresh; : >"$model/model.safetensors"; refuse 'empty weights' 3 'model.safetensors.*(short|bytes)'
fresh; printf 'abc' >"$model/model.safetensors"; refuse 'three bytes of weights' 3 'model.safetensors'
fresh; poke "$model/model.safetensors" 0 '\377\377\377\377\377\377\377\177'; refuse 'absurd header length' 3 'model.safetensors.*header'
fresh; poke "$model/model.safetensors" 8 'x'; refuse 'header is no JSON' 3 'model.safetensors'
fresh; truncate -s -1000 "$model/model.safetensors"; refuse 'data cut short' 3 'model.safetensors.*ends at byte.*incomplete'
header 'unknown element type' 3 'BF99|element type|dtype' 's/"BF16"/"BF99"/'
header 'another element type' 3 'element type|dtype|bytes|I16' 's/"BF16"/"I16" /'
header 'another shape' 3 'model.embed_tokens.weight.*4096, 32.*2048, 64' 's/\[2048,64\]/[4096,32]/'
header 'a shape that is not its bytes' 3 'bytes' 's/\[2048,64\]/[2048,65]/'
header 'negative shape' 3 'model.safetensors' 's/\[2048,64\]/[-204,64]/'
header 'missing tensor' 3 'model.norm.weight' 's/"model.norm.weight"/"model.norn.weight"/'
fresh; echo '{"weight_map": {"model.norm.weight": "part-2.safetensors"}}' >"$model/model.safetensors.index.json"
rm "$model/model.safetensors"; refuse 'missing shard' 3 'part-2.safetensors'
fresh; echo '{"weight_map": {"model.norm.weight": "../../etc/passwd"}}' >"$model/model.safetensors.index.json"
rm "$model/model.safetensors"; refuse 'shard outside of the model' 3 'passwd'

# Configuration.
fresh; rm "$model/config.json"; refuse 'no configuration' 3 'has no config.json'
fresh; echo '{' >"$model/config.json"; refuse 'configuration is no JSON' 3 'config.json'
fresh; echo '[]' >"$model/config.json"; refuse 'configuration is no object' 3 'config.json'
config 'unknown architecture' 3 'FooForCausalLM' 's/LlamaForCausalLM/FooForCausalLM/'
config 'no hidden size' 3 'hidden_size' 's/"hidden_size": 64,//'
config 'hidden size 0' 3 'hidden_size' 's/"hidden_size": 64/"hidden_size": 0/'
config 'negative hidden size' 3 'hidden_size' 's/"hidden_size": 64/"hidden_size": -64/'
config 'hidden size 1e30' 3 'hidden_size' 's/"hidden_size": 64/"hidden_size": 1e30/'
config 'hidden size is text' 3 'hidden_size' 's/"hidden_size": 64/"hidden_size": "64"/'
config 'another hidden size' 3 'tokens.weight|hidden' 's/"hidden_size": 64/"hidden_size": 128/'
config 'a billion layers' 3 'num_hidden_layers|layers' 's/"num_hidden_layers": 2/"num_hidden_layers": 1000000000/'
config 'more layers than weights' 3 'layers.2' 's/"num_hidden_layers": 2/"num_hidden_layers": 3/'
config 'no heads' 3 'num_attention_heads' 's/"num_attention_heads": 4/"num_attention_heads": 0/'
config 'heads that share unevenly' 3 'heads' 's/"num_key_value_heads": 2/"num_key_value_heads": 3/'
config 'context 0' 3 'max_position' 's/"max_position_embeddings": 64/"max_position_embeddings": 0/'
config 'context of 10^15' 3 'max_position' 's/"max_position_embeddings": 64/"max_position_embeddings": 1000000000000000/'
config 'epsilon is text' 3 'rms_norm_eps' 's/"rms_norm_eps": 1e-5/"rms_norm_eps": "tiny"/'
config 'unknown activation' 3 'hidden_act|soft' 's/"silu"/"soft"/'
config 'unknown rope scaling' 3 'rope|spiral' 's/"rope_theta"/"rope_scaling": {"rope_type": "spiral", "factor": 2.0}, "rope_theta"/'
config 'quantised weights' 3 'quant' 's/"rope_theta"/"quantization_config": {"quant_method": "gptq"}, "rope_theta"/'

# Tokenizer: found by those who need it, and only by them.
tokenizer() { # NAME PATTERN
  expect "$1" 3 "$2" "$quire" run "$scratch/token.plan" -p x -q
}
fresh
"$compiler" -q "$model" -o "$scratch/token.plan" --cpu=v3 >/dev/null
rm "$model/tokenizer.json"; tokenizer 'no tokenizer' 'tokenizer'
: >"$model/tokenizer.json"; tokenizer 'empty tokenizer' 'tokenizer.json'
echo '{"model": {"type": "Sorcery"}}' >"$model/tokenizer.json"; tokenizer 'unknown tokenizer' 'Sorcery'

# Prompts.
fresh
long=$(printf 'word %.0s' $(seq 200))
expect 'prompt beyond the context' 2 'context|64' "$quire" run "$scratch/token.plan" -q -p "$long"
printf 'good\n%s\n' "$long" >"$scratch/prompts.txt"
expect 'prompt of a file beyond the context' 2 'prompts.txt:2|context|64' "$quire" run "$scratch/token.plan" -q -f "$scratch/prompts.txt"
expect 'no room for one page' 4 'not enough memory for the token cache' "$quire" run "$scratch/token.plan" -q -p x --cache-memory 1k

# Output that cannot be written.
expect 'output folder is missing' 1 'nowhere' "$compiler" -q "$model" -o "$out/nowhere/m.plan"
mkdir "$scratch/folder"
expect 'output is a folder' 1 'folder' "$compiler" -q "$model" -o "$scratch/folder"
expect 'output in a file' 1 'good.plan/m.plan' "$compiler" -q "$model" -o "$scratch/good.plan/m.plan"
expect 'output in /proc' 1 '/proc/' "$compiler" -q "$model" -o /proc/quire.plan
expect 'dumps cannot be written' 1 'good.plan' "$compiler" -q "$model" -o "$out/m.plan" --dump-ir="$scratch/good.plan"
checks=$((checks + 1))
"$quire" run "$scratch/token.plan" -q -p x -n 4 --ignore-eos >/dev/full 2>"$scratch/stderr" </dev/null
[ $? -eq 1 ] && [ "$(wc -l <"$scratch/stderr")" -eq 1 ] || { : >"$scratch/stdout"; report 'text to a full device'; }

# Plans. A byte is changed in the header, in the table of sections, and in the middle of the file.
plan=$scratch/bad.plan
size=$(stat -c %s "$scratch/token.plan")
broken() { # NAME PATTERN: both readers must refuse it
  expect "$1, run" 3 "bad.plan.*($2)" "$quire" run "$plan" -p x -q
  expect "$1, inspect" 3 "bad.plan.*($2)" "$quire" inspect "$plan"
}
for bytes in 0 7 31 63 100 $((size / 2)) $((size - 1)); do
  head -c "$bytes" "$scratch/token.plan" >"$plan"; broken "plan of $bytes bytes" 'bytes|short|truncated|empty'
done
cp "$scratch/token.plan" "$plan"; printf 'x' >>"$plan"; broken 'plan with a byte more' 'bytes'
for offset in 40 $((size / 3)) $((size / 2)) $((size - 200)); do
  cp "$scratch/token.plan" "$plan"
  byte=$(dd if="$plan" bs=1 skip="$offset" count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
  poke "$plan" "$offset" "$(printf '\\%03o' $(((byte + 1) & 255)))"
  broken "byte $offset changed" 'checksum|damaged|corrupt'
done
cp "$scratch/token.plan" "$plan"; poke "$plan" 8 '\377'; broken 'plan of a future version' 'version 255'
cp "$scratch/token.plan" "$plan"; poke "$plan" 0 'ELF'; broken 'not a plan' 'not a plan|no plan|magic'

# The model changed after it was compiled.
changed() { expect "$1" 3 "model.safetensors" "$quire" run "$scratch/token.plan" -p x -q; }
fresh; rm "$model/model.safetensors"; changed 'weights are gone'
fresh; truncate -s +64 "$model/model.safetensors"; changed 'weights grew'
fresh; LC_ALL=C sed -i '1s/model.norm.weight/model.norn.weight/' "$model/model.safetensors"; changed 'weights have other names'

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
