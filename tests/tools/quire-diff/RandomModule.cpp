// Implements RandomModule.h.
#include "tests/tools/quire-diff/RandomModule.h"

#include <cmath>
#include <cstdio>
#include <sstream>

namespace quire::test {
namespace {

const char *const kScores[] = {"scaled", "soft-cap", "ALiBi", "s (1 + 0.1 cos(q - k))"};
const char *const kMasks[] = {"causal",   "window", "prefix", "window and prefix",
                              "document", "chunk",  "strict", "full"};

/// Writes ops on score tensors, numbering the values.
class ScoreText {
public:
  ScoreText(std::ostringstream &out, int heads)
      : out(out), floats("tensor<?x" + std::to_string(heads) + "x?xf32>"),
        ints("tensor<?x" + std::to_string(heads) + "x?xi32>"),
        bits("tensor<?x" + std::to_string(heads) + "x?xi1>") {}

  std::string number(double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.9e", value);
    return splat("arith.constant " + std::string(text) + " : f32", "f32", floats);
  }
  std::string infinity() { return splat("arith.constant 0xFF800000 : f32", "f32", floats); }
  std::string integer(int value) {
    return splat("arith.constant " + std::to_string(value) + " : i32", "i32", ints);
  }
  std::string position(const std::string &kind) {
    return op("graph.position " + kind + " %s of %batch : " + floats + " -> " + ints);
  }
  std::string real(const std::string &value) {
    return op("arith.sitofp " + value + " : " + ints + " to " + floats);
  }
  std::string unary(const std::string &name, const std::string &a) {
    return op(name + " " + a + " : " + floats);
  }
  std::string binary(const std::string &name, const std::string &a, const std::string &b) {
    return op(name + " " + a + ", " + b + " : " + (name.back() == 'i' ? ints : floats));
  }
  std::string compare(const std::string &predicate, const std::string &a, const std::string &b) {
    return op("arith.cmpi " + predicate + ", " + a + ", " + b + " : " + ints);
  }
  std::string logic(const std::string &name, const std::string &a, const std::string &b) {
    return op(name + " " + a + ", " + b + " : " + bits);
  }
  std::string select(const std::string &c, const std::string &a, const std::string &b) {
    return op("arith.select " + c + ", " + a + ", " + b + " : " + bits + ", " + floats);
  }

private:
  std::string op(const std::string &text) {
    std::string name = "%a" + std::to_string(next++);
    out << "    " << name << " = " << text << "\n";
    return name;
  }
  std::string splat(const std::string &constant, const std::string &type, const std::string &to) {
    std::string scalar = op(constant);
    return op("graph.splat " + scalar + " like %s : " + type + ", " + floats + " -> " + to);
  }

  std::ostringstream &out;
  std::string floats, ints, bits;
  int next = 0;
};

std::string scoreOf(const RandomModel &model, ScoreText &text) {
  std::string scaled =
      text.binary("arith.mulf", "%s", text.number(1 / std::sqrt(static_cast<double>(model.dim))));
  switch (model.score) {
  case Score::SoftCap: {
    std::string cap = text.number(2.5);
    return text.binary("arith.mulf", text.unary("math.tanh", text.binary("arith.divf", scaled, cap)),
                       cap);
  }
  case Score::Alibi: { // slope 2^(-8 (h + 1) / H), arXiv 2108.12409
    std::string head = text.real(text.position("head"));
    std::string exponent = text.binary("arith.mulf", text.binary("arith.addf", head, text.number(1)),
                                       text.number(-8.0 / model.heads));
    std::string distance = text.real(
        text.binary("arith.subi", text.position("key"), text.position("query")));
    return text.binary("arith.addf", scaled,
                       text.binary("arith.mulf", text.unary("math.exp2", exponent), distance));
  }
  case Score::Odd: {
    std::string distance = text.real(
        text.binary("arith.subi", text.position("query"), text.position("key")));
    std::string factor = text.binary(
        "arith.addf", text.number(1),
        text.binary("arith.mulf", text.unary("math.cos", distance), text.number(0.1)));
    return text.binary("arith.mulf", scaled, factor);
  }
  case Score::Scaled:
  case Score::Count:
    break;
  }
  return scaled;
}

std::string masked(const RandomModel &model, ScoreText &text, const std::string &score) {
  if (model.mask == Mask::Full)
    return score;
  std::string query = text.position("query"), key = text.position("key");
  std::string seen = text.compare(model.mask == Mask::Strict ? "slt" : "sle", key, query);
  if (model.mask == Mask::Window || model.mask == Mask::WindowAndPrefix)
    seen = text.logic("arith.andi", seen,
                      text.compare("slt", text.binary("arith.subi", query, key),
                                   text.integer(model.window)));
  if (model.mask == Mask::Document)
    seen = text.logic("arith.andi", seen,
                      text.compare("sle", text.binary("arith.subi", query, key),
                                   text.binary("arith.remsi", query, text.integer(model.window))));
  if (model.mask == Mask::Chunk) {
    std::string length = text.integer(model.window);
    seen = text.logic("arith.andi", seen,
                      text.compare("eq", text.binary("arith.floordivsi", key, length),
                                   text.binary("arith.floordivsi", query, length)));
  }
  if (model.mask == Mask::Prefix || model.mask == Mask::WindowAndPrefix)
    seen = text.logic("arith.ori", seen, text.compare("slt", key, text.integer(model.prefix)));
  return text.select(seen, score, text.infinity());
}

template <typename T> T pick(std::mt19937_64 &random, std::initializer_list<T> choices) {
  return choices.begin()[random() % choices.size()];
}

} // namespace

std::string RandomModel::describe() const {
  std::ostringstream out;
  out << kScores[static_cast<int>(score)] << ", " << kMasks[static_cast<int>(mask)] << " (window "
      << window << ", prefix " << prefix << "), " << heads << " heads in groups of " << group
      << ", dim " << dim << ", page " << page << ", hidden " << hidden << ", vocabulary "
      << vocabulary << (rotary ? ", rotary" : "") << (bf16 ? ", bf16" : ", f32") << " weights, "
      << (bf16Cache ? "bf16" : "f32") << " cache" << (tokenOutput ? ", two outputs" : "");
  return out.str();
}

std::string RandomModel::text() const {
  const int kv = heads / group;
  const std::string weight = bf16 ? "bf16" : "f32";
  auto rows = [](int n) { return "tensor<?x" + std::to_string(n) + "xf32>"; };
  auto matrix = [&](int r, int c) {
    return "tensor<" + std::to_string(r) + "x" + std::to_string(c) + "x" + weight + ">";
  };
  auto vectors = [&](int h) {
    return "tensor<?x" + std::to_string(h) + "x" + std::to_string(dim) + "xf32>";
  };
  const std::string scores = "tensor<?x" + std::to_string(heads) + "x?xf32>";
  std::ostringstream out;
  out << "!cache = !graph.cache<page = " << page << ", element = " << (bf16Cache ? "bf16" : "f32")
      << ", window = " << (mask == Mask::Window ? window : 0)
      << ", components = [<\"k\", heads = " << kv << ", dim = " << dim
      << ">, <\"v\", heads = " << kv << ", dim = " << dim << ">]>\n"
      << "module attributes {quire.model = \"random\", quire.max_context = " << context
      << " : i64} {\n"
      << "  func.func @step(%ids: tensor<?xi32> {quire.name = \"tokens\"}, %batch: !graph.batch,\n"
      << "                  %cache: !cache {quire.name = \"cache.0\"})\n      -> ("
      << rows(vocabulary) << " {quire.name = \"logits\"}, "
      << (tokenOutput ? rows(hidden) + " {quire.name = \"hidden\"}, " : "") << "!cache) {\n";
  auto addWeight = [&](const std::string &name, int r, int c) {
    out << "    %" << name << " = graph.weight \"" << name << "\" [<\"" << name << "\", rows = " << r
        << ", columns = " << c << ">] : " << matrix(r, c) << "\n";
  };
  auto addVector = [&](const std::string &name, int n) {
    out << "    %" << name << " = graph.weight \"" << name << "\" [<\"" << name << "\", rows = " << n
        << ", columns = 1>] : tensor<" << n << "x" << weight << ">\n";
  };
  auto linear = [&](const std::string &result, const std::string &input,
                    const std::string &weightName, int in, int outColumns) {
    out << "    %" << result << " = graph.linear %" << input << ", %" << weightName << " : "
        << rows(in) << ", " << matrix(outColumns, in) << " -> " << rows(outColumns) << "\n";
  };
  auto norm = [&](const std::string &result, const std::string &input, const std::string &name) {
    out << "    %" << result << " = graph.norm rms %" << input << ", %" << name
        << " epsilon 1.0e-5 : " << rows(hidden) << ", tensor<" << hidden << "x" << weight << "> -> "
        << rows(hidden) << "\n";
  };
  addWeight("embed", vocabulary, hidden);
  addWeight("wq", heads * dim, hidden);
  addWeight("wk", kv * dim, hidden);
  addWeight("wv", kv * dim, hidden);
  addWeight("wo", hidden, heads * dim);
  addWeight("head", vocabulary, hidden);
  addVector("n0", hidden);
  addVector("n1", hidden);
  out << "    %x = graph.embed %ids, %embed : tensor<?xi32>, " << matrix(vocabulary, hidden) << " -> "
      << rows(hidden) << "\n";
  norm("n", "x", "n0");
  linear("q", "n", "wq", hidden, heads * dim);
  linear("k", "n", "wk", hidden, kv * dim);
  linear("v", "n", "wv", hidden, kv * dim);
  auto split = [&](const std::string &result, const std::string &input, int count) {
    out << "    %" << result << " = graph.reshape %" << input << " : " << rows(count * dim) << " -> "
        << vectors(count) << "\n";
  };
  split("qs", "q", heads);
  split("ks", "k", kv);
  split("vh", "v", kv);
  std::string query = "%qs", key = "%ks";
  if (rotary) {
    const std::string table = "tensor<" + std::to_string(context) + "x" + std::to_string(dim) + "xf32>";
    out << "    %pos = graph.positions %batch : tensor<?xi32>\n    %rope = graph.rotary_table [";
    for (int i = 0; i < dim / 2; ++i) {
      char text[32];
      std::snprintf(text, sizeof text, "%.8e", std::pow(10000.0, -2.0 * i / dim));
      out << (i ? ", " : "") << text;
    }
    out << "] scale 1.0 : " << table << "\n";
    auto rotate = [&](const std::string &result, const std::string &input, int count) {
      out << "    %" << result << " = graph.rotate %" << input << ", %rope at %pos : "
          << vectors(count) << ", " << table << ", tensor<?xi32> -> " << vectors(count) << "\n";
    };
    rotate("qh", "qs", heads);
    rotate("kh", "ks", kv);
    query = "%qh";
    key = "%kh";
  }
  out << "    %c = graph.cache_append %cache of %batch [\"k\", \"v\"] (" << key << ", %vh) : !cache, "
      << vectors(kv) << ", " << vectors(kv) << "\n"
      << "    %s = graph.scores " << query << ", %c \"k\" of %batch : " << vectors(heads)
      << ", !cache -> " << scores << "\n";
  ScoreText text(out, heads);
  std::string last = masked(*this, text, scoreOf(*this, text));
  out << "    %p = graph.softmax " << last << " : " << scores << " -> " << scores << "\n"
      << "    %o = graph.mix %p, %c \"v\" of %batch : " << scores << ", !cache -> " << vectors(heads)
      << "\n    %of = graph.reshape %o : " << vectors(heads) << " -> " << rows(heads * dim) << "\n";
  linear("proj", "of", "wo", heads * dim, hidden);
  out << "    %h = arith.addf %x, %proj : " << rows(hidden) << "\n"
      << "    %last = graph.take_rows %h of %batch : " << rows(hidden) << " -> " << rows(hidden)
      << "\n";
  norm("ln", "last", "n1");
  if (tokenOutput) { // token rows and sample rows alive at the same time
    addWeight("t0", hidden, hidden);
    addWeight("t1", hidden, hidden);
    linear("token0", "h", "t0", hidden, hidden);
    linear("token1", "token0", "t1", hidden, hidden);
  }
  linear("logits", "ln", "head", hidden, vocabulary);
  out << "    return %logits, " << (tokenOutput ? "%token1, " : "") << "%c : " << rows(vocabulary)
      << (tokenOutput ? ", " + rows(hidden) : "") << ", !cache\n  }\n}\n";
  return out.str();
}

RandomModel randomModel(std::mt19937_64 &random) {
  RandomModel model;
  model.score = static_cast<Score>(random() % static_cast<uint64_t>(Score::Count));
  model.mask = static_cast<Mask>(random() % static_cast<uint64_t>(Mask::Count));
  model.group = pick(random, {1, 2, 3, 4, 8});
  model.heads = model.group * pick(random, {1, 2});
  model.dim = pick(random, {16, 32, 64, 80, 128});
  model.page = pick(random, {16, 32, 64});
  model.hidden = pick(random, {32, 48, 64, 96});
  model.vocabulary = pick(random, {37, 64, 131});
  model.window = static_cast<int>(1 + random() % 50);
  model.prefix = static_cast<int>(1 + random() % 50);
  model.context = 4 * model.page + static_cast<int>(random() % 64);
  model.rotary = random() % 2;
  model.bf16 = random() % 2;
  model.bf16Cache = random() % 2;
  model.tokenOutput = random() % 2;
  return model;
}

} // namespace quire::test
