// bench-make-model DIR [option=number…]: writes a model directory of a given shape with random weights, so
// that speed can be measured without downloading a model. The default is the shape of a 0.5B model. bias=0
// leaves out the biases of q, k and v, tied=0 gives the head a matrix of its own, and sparse=1 writes no
// weights: enough to compile a plan for the same model made elsewhere. With window=N all layers but every
// `global`th look back at N tokens (needs bias=1).
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

struct Tensor {
  std::string name;
  std::vector<uint64_t> shape;
  uint64_t elements() const {
    uint64_t product = 1;
    for (uint64_t size : shape)
      product *= size;
    return product;
  }
};

/// splitmix64, one number a call.
uint64_t nextRandom(uint64_t &state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

} // namespace

int main(int argc, char **argv) {
  std::map<std::string, uint64_t> shape = {
      {"hidden", 896}, {"layers", 24}, {"heads", 14},       {"kv_heads", 2}, {"head_dim", 64},
      {"ffn", 4864},   {"vocab", 151936}, {"context", 32768}, {"bf16", 1},     {"seed", 1},
      {"bias", 1},    {"tied", 1},    {"sparse", 0},        {"window", 0}, {"global", 2}};
  if (argc < 2 || std::string(argv[1]) == "--help") {
    std::printf("usage: bench-make-model DIR [name=number...]\nnames and defaults:");
    for (auto &[name, value] : shape)
      std::printf(" %s=%llu", name.c_str(), static_cast<unsigned long long>(value));
    std::printf("\n");
    return argc < 2 ? 2 : 0;
  }
  for (int i = 2; i < argc; ++i) {
    const char *equals = std::strchr(argv[i], '=');
    std::string name(argv[i], equals ? equals - argv[i] : 0);
    if (!equals || !shape.count(name)) {
      std::fprintf(stderr, "bench-make-model: unknown option %s\n", argv[i]);
      return 2;
    }
    shape[name] = std::strtoull(equals + 1, nullptr, 10);
  }
  uint64_t hidden = shape["hidden"], ffn = shape["ffn"], dim = shape["head_dim"];
  uint64_t query = shape["heads"] * dim, key = shape["kv_heads"] * dim;

  std::vector<Tensor> tensors{{"model.embed_tokens.weight", {shape["vocab"], hidden}},
                              {"model.norm.weight", {hidden}}};
  if (!shape["tied"])
    tensors.push_back({"lm_head.weight", {shape["vocab"], hidden}});
  for (uint64_t layer = 0; layer < shape["layers"]; ++layer) {
    std::string at = "model.layers." + std::to_string(layer) + ".";
    tensors.push_back({at + "input_layernorm.weight", {hidden}});
    tensors.push_back({at + "post_attention_layernorm.weight", {hidden}});
    tensors.push_back({at + "self_attn.q_proj.weight", {query, hidden}});
    tensors.push_back({at + "self_attn.k_proj.weight", {key, hidden}});
    tensors.push_back({at + "self_attn.v_proj.weight", {key, hidden}});
    if (shape["bias"]) {
      tensors.push_back({at + "self_attn.q_proj.bias", {query}});
      tensors.push_back({at + "self_attn.k_proj.bias", {key}});
      tensors.push_back({at + "self_attn.v_proj.bias", {key}});
    }
    tensors.push_back({at + "self_attn.o_proj.weight", {hidden, query}});
    tensors.push_back({at + "mlp.gate_proj.weight", {ffn, hidden}});
    tensors.push_back({at + "mlp.up_proj.weight", {ffn, hidden}});
    tensors.push_back({at + "mlp.down_proj.weight", {hidden, ffn}});
  }
  uint64_t width = shape["bf16"] ? 2 : 4, offset = 0;
  std::string header = "{";
  for (const Tensor &tensor : tensors) {
    std::string dims;
    for (uint64_t size : tensor.shape)
      dims += (dims.empty() ? "" : ",") + std::to_string(size);
    uint64_t end = offset + tensor.elements() * width;
    header += (header.size() > 1 ? "," : "") + ("\"" + tensor.name) + "\":{\"dtype\":\"" +
              (width == 2 ? "BF16" : "F32") + "\",\"shape\":[" + dims + "],\"data_offsets\":[" +
              std::to_string(offset) + "," + std::to_string(end) + "]}";
    offset = end;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');

  std::filesystem::path directory = argv[1];
  std::filesystem::create_directories(directory);
  std::string windows = "false";
  if (shape["window"]) {
    windows = "true, \"sliding_window\": " + std::to_string(shape["window"]) + ", \"layer_types\": [";
    for (uint64_t layer = 0; layer < shape["layers"]; ++layer)
      windows += (layer ? ", " : "") + std::string((layer + 1) % shape["global"] == 0
                                                       ? "\"full_attention\""
                                                       : "\"sliding_attention\"");
    windows += "]";
  }
  std::ofstream config(directory / "config.json");
  config << (shape["bias"] ? "{\"architectures\": [\"Qwen2ForCausalLM\"], \"model_type\": \"qwen2\", "
                             "\"use_sliding_window\": " + windows
                           : "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\"")
         << ", \"hidden_act\": \"silu\", \"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, "
            "\"tie_word_embeddings\": "
         << (shape["tied"] ? "true" : "false") << ", \"head_dim\": " << dim
         << ", \"hidden_size\": " << hidden << ", \"intermediate_size\": " << ffn
         << ", \"num_hidden_layers\": " << shape["layers"]
         << ", \"num_attention_heads\": " << shape["heads"]
         << ", \"num_key_value_heads\": " << shape["kv_heads"]
         << ", \"vocab_size\": " << shape["vocab"]
         << ", \"max_position_embeddings\": " << shape["context"] << ", \"torch_dtype\": \""
         << (width == 2 ? "bfloat16" : "float32") << "\", \"eos_token_id\": 0}\n";

  std::ofstream file(directory / "model.safetensors", std::ios::binary);
  uint64_t headerBytes = header.size(), random = shape["seed"];
  file.write(reinterpret_cast<const char *>(&headerBytes), 8);
  file << header;
  if (shape["sparse"]) {
    file.close();
    std::filesystem::resize_file(directory / "model.safetensors", 8 + headerBytes + offset);
    tensors.clear();
  }
  std::vector<uint8_t> block;
  for (const Tensor &tensor : tensors) {
    // Uniform with the variance of 1 / fan-in; norms near 1, so that activations stay in range.
    bool vector = tensor.shape.size() == 1;
    float scale = vector ? 0.1f : 1.7f / __builtin_sqrtf(static_cast<float>(tensor.shape[1]));
    float base = tensor.name.find("norm") != std::string::npos ? 1.0f : 0.0f;
    block.resize(tensor.elements() * width);
    for (uint64_t i = 0; i < tensor.elements(); ++i) {
      float unit = static_cast<float>(nextRandom(random) >> 40) / 8388608.0f - 1.0f;
      float value = base + scale * unit;
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      if (width == 2) {
        uint16_t rounded = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
        std::memcpy(&block[2 * i], &rounded, 2);
      } else {
        std::memcpy(&block[4 * i], &bits, 4);
      }
    }
    file.write(reinterpret_cast<const char *>(block.data()), static_cast<long>(block.size()));
  }
  if (file.is_open())
    file.close();
  if (!config || !file) {
    std::fprintf(stderr, "bench-make-model: cannot write to %s\n", argv[1]);
    return 1;
  }
  std::printf("%s: %zu tensors, %.1f MB\n", argv[1], tensors.size(), offset / 1e6);
  return 0;
}
