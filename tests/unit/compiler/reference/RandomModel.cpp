// Writes random models line by line; see the header. Every value's type is kept beside its name.
#include "RandomModel.h"

#include "llvm/Support/FormatVariadic.h"

#include <map>

using llvm::formatv;

namespace quire::test {
namespace {

class Writer {
public:
  explicit Writer(std::mt19937_64 &random) : random(random) {}

  RandomModel write() {
    drawShape();
    header();
    std::string x = embedding();
    for (int layer = 0; layer < layers; ++layer) {
      prefix = formatv("l{0}", layer).str();
      x = feedForward(attention(x, layer));
    }
    ending(x);
    RandomModel model{text, summary, layers, vocabulary, kPositions};
    return model;
  }

private:
  static constexpr int kPositions = 96;

  int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }
  bool chance(int percent) { return draw(1, 100) <= percent; }
  int oneOf(std::initializer_list<int> choices) {
    return choices.begin()[draw(0, static_cast<int>(choices.size()) - 1)];
  }
  /// A coin whose result stands in the summary.
  bool feature(const char *name, int percent) {
    bool has = chance(percent);
    if (has)
      summary += std::string(" ") + name;
    return has;
  }

  void drawShape() {
    layers = draw(1, 3);
    cacheHeads = draw(1, 2);
    heads = cacheHeads * draw(1, 3);
    dim = oneOf({4, 8, 16});
    hidden = oneOf({16, 24, 32});
    inner = oneOf({24, 32, 40});
    vocabulary = oneOf({30, 64});
    page = oneOf({4, 16});
    summary = formatv("layers={0} heads={1}/{2} dim={3} hidden={4}:", layers, heads, cacheHeads,
                      dim, hidden);
    rotates = feature("rotary", 70);
    interleaved = rotates && feature("interleaved", 30);
    layerNorm = feature("layernorm", 40);
    biases = feature("biases", 40);
    headNorm = feature("head-norm", 30);
    postNorm = feature("post-norm", 30);
    sinks = feature("sinks", 30);
    gated = feature("gated", 60);
  }

  // --- Types and lines -------------------------------------------------------------------------

  std::string rows(int columns) { return formatv("tensor<?x{0}xf32>", columns); }
  std::string headRows(int count) { return formatv("tensor<?x{0}x{1}xf32>", count, dim); }
  std::string scoreType(const char *element) {
    return formatv("tensor<?x{0}x?x{1}>", heads, element);
  }

  /// Adds `%new = body` and gives the new name. Types are remembered for operands.
  std::string line(const std::string &type, const std::string &body) {
    std::string name = formatv("%v{0}", next++);
    text += "    " + name + " = " + body + "\n";
    types[name] = type;
    return name;
  }
  std::string constant(const std::string &type, const std::string &value) {
    return line(type, "arith.constant " + value + " : " + type);
  }
  std::string splat(const std::string &scalar, const std::string &like, const std::string &type) {
    return line(type, formatv("graph.splat {0} like {1} : {2}, {3} -> {4}", scalar, like,
                              types[scalar], types[like], type));
  }
  std::string floatLike(double value, const std::string &like, const std::string &type) {
    return splat(constant("f32", formatv("{0:E6}", value)), like, type);
  }
  std::string binary(const char *op, const std::string &a, const std::string &b) {
    return line(types[a], formatv("{0} {1}, {2} : {3}", op, a, b, types[a]));
  }
  std::string unary(const char *op, const std::string &a) {
    return line(types[a], formatv("{0} {1} : {2}", op, a, types[a]));
  }
  std::string weight(const std::string &name, int n, int k = 0) {
    std::string type =
        k ? formatv("tensor<{0}x{1}xbf16>", n, k).str() : formatv("tensor<{0}xbf16>", n).str();
    return line(type,
                formatv("graph.weight \"{0}.{1}\" [<\"{0}.{1}\", rows = {2}, columns = {3}>] : {4}",
                        prefix, name, n, k ? k : 1, type));
  }
  std::string linear(const std::string &x, const std::string &name, int n, int k, bool bias) {
    std::string w = weight(name, n, k), b = bias ? weight(name + "_bias", n) : "";
    return line(rows(n), formatv("graph.linear {0}, {1}{2} : {3}, {4}{5} -> {6}", x, w,
                                 bias ? " bias " + b : "", types[x], types[w],
                                 bias ? " bias " + types[b] : "", rows(n)));
  }
  std::string norm(const std::string &x, const std::string &name, int n) {
    std::string w = weight(name, n), b = layerNorm ? weight(name + "_bias", n) : "";
    return line(types[x],
                formatv("graph.norm {0} {1}, {2}{3} epsilon 1.0e-5 {4}: {5}, {6}{7} -> {5}",
                        layerNorm ? "layer" : "rms", x, w, layerNorm ? " bias " + b : "",
                        "{offset = 1.0} ", types[x], types[w],
                        layerNorm ? " bias " + types[b] : ""));
  }
  std::string reshape(const std::string &x, const std::string &type) {
    return line(type, formatv("graph.reshape {0} : {1} -> {2}", x, types[x], type));
  }

  // --- The model -------------------------------------------------------------------------------

  void header() {
    text = formatv(
        "!cache = !graph.cache<page = {0}, element = bf16, window = 0, components =\n"
        "    [<\"k\", heads = {1}, dim = {2}>, <\"v\", heads = {1}, dim = {2}>]>\n"
        "func.func @step(%ids: tensor<?xi32> {{quire.name = \"tokens\"}, %batch: !graph.batch",
        page, cacheHeads, dim);
    for (int layer = 0; layer < layers; ++layer)
      text += formatv(", %c{0}: !cache", layer);
    text += ") -> (" + rows(vocabulary);
    for (int layer = 0; layer < layers; ++layer)
      text += ", !cache";
    text += ") {\n";
    if (rotates) {
      int pairs = std::max(1, dim / 2 / (chance(30) ? 2 : 1));
      std::string list;
      for (int i = 0; i < pairs; ++i)
        list += formatv("{0}{1:E6}", i ? ", " : "", 1.0 / (1 + 3 * i));
      rope = line(formatv("tensor<{0}x{1}xf32>", kPositions, 2 * pairs),
                  formatv("graph.rotary_table [{0}] scale 1.0 : tensor<{1}x{2}xf32>", list,
                          kPositions, 2 * pairs));
    }
    positions = line("tensor<?xi32>", "graph.positions %batch : tensor<?xi32>");
    types["%ids"] = "tensor<?xi32>";
  }

  std::string embedding() {
    std::string table = weight("embed", vocabulary, hidden);
    auto lookUp = [&](const std::string &index, const std::string &from) {
      return line(rows(hidden), formatv("graph.embed {0}, {1} : {2}, {3} -> {4}", index, from,
                                        types[index], types[from], rows(hidden)));
    };
    std::string x = lookUp("%ids", table);
    if (!rotates && feature("learned-positions", 50))
      x = binary("arith.addf", x, lookUp(positions, weight("position", kPositions, hidden)));
    if (feature("embed-scale", 30))
      x = binary("arith.mulf", x, floatLike(4.5, x, types[x]));
    return x;
  }

  std::string rotate(const std::string &x) {
    if (!rotates)
      return x;
    return line(types[x],
                formatv("graph.rotate {0}, {1} at {2} {3}: {4}, {5}, tensor<?xi32> -> {4}", x, rope,
                        positions, interleaved ? "interleaved " : "", types[x], types[rope]));
  }

  std::string attention(const std::string &x, int layer) {
    std::string n = norm(x, "norm1", hidden);
    auto project = [&](const char *name, int count) {
      return reshape(linear(n, name, count * dim, hidden, biases), headRows(count));
    };
    std::string q = project("q", heads), k = project("k", cacheHeads), v = project("v", cacheHeads);
    if (headNorm) {
      q = norm(q, "qn", dim);
      k = norm(k, "kn", dim);
    }
    q = rotate(q);
    k = rotate(k);
    std::string cache = line(
        "!cache",
        formatv("graph.cache_append %c{0} of %batch [\"k\", \"v\"] ({1}, {2}) : !cache, {3}, {3}",
                layer, k, v, types[k]));
    caches.push_back(cache);
    std::string s =
        line(scoreType("f32"), formatv("graph.scores {0}, {1} \"k\" of %batch : {2}, !cache -> {3}",
                                       q, cache, types[q], scoreType("f32")));
    std::string masked = mask(mathematics(s), s);
    std::string p;
    if (sinks) {
      std::string sink = weight("sink", heads);
      p = line(scoreType("f32"), formatv("graph.softmax {0} sink {1} : {2} sink {3} -> {2}", masked,
                                         sink, types[masked], types[sink]));
    } else {
      p = line(scoreType("f32"), formatv("graph.softmax {0} : {1} -> {1}", masked, types[masked]));
    }
    std::string o =
        line(headRows(heads), formatv("graph.mix {0}, {1} \"v\" of %batch : {2}, !cache -> {3}", p,
                                      cache, types[p], headRows(heads)));
    std::string y = linear(reshape(o, rows(heads * dim)), "o", hidden, heads * dim, biases);
    return binary("arith.addf", x, postNorm ? norm(y, "post1", hidden) : y);
  }

  std::string position(const char *kind, const std::string &s) {
    return line(scoreType("i32"), formatv("graph.position {0} {1} of %batch : {2} -> {3}", kind, s,
                                          types[s], scoreType("i32")));
  }
  std::string toFloat(const std::string &x) {
    return line(scoreType("f32"),
                formatv("arith.sitofp {0} : {1} to {2}", x, types[x], scoreType("f32")));
  }
  std::string like(double value, const std::string &s) {
    return floatLike(value, s, scoreType("f32"));
  }

  /// A random chain of score functions, none of them one that a product would name.
  std::string mathematics(const std::string &s) {
    std::string x = binary("arith.mulf", s, like(0.3, s));
    for (int i = draw(0, 3); i > 0; --i)
      switch (draw(0, 4)) {
      case 0: // soft-cap
        summary += " soft-cap";
        x = binary("arith.mulf", unary("math.tanh", binary("arith.divf", x, like(3, s))),
                   like(3, s));
        break;
      case 1: { // ALiBi: minus distance times 2^-(head + 1)
        summary += " alibi";
        std::string distance =
            toFloat(binary("arith.subi", position("query", s), position("key", s)));
        std::string slope = unary(
            "math.exp2",
            unary("arith.negf", binary("arith.addf", toFloat(position("head", s)), like(1, s))));
        x = binary("arith.subf", x, binary("arith.mulf", distance, slope));
        break;
      }
      case 2: { // s * (1 + 0.1 cos(q - k))
        summary += " cosine";
        std::string distance =
            toFloat(binary("arith.subi", position("query", s), position("key", s)));
        std::string factor =
            binary("arith.addf", like(1, s),
                   binary("arith.mulf", unary("math.cos", distance), like(0.1, s)));
        x = binary("arith.mulf", x, factor);
        break;
      }
      case 3: // a kink that depends on the score
        summary += " kink";
        x = binary("arith.maximumf", x, binary("arith.mulf", x, like(0.25, s)));
        break;
      case 4: // the raw score again
        summary += " raw";
        x = binary("arith.addf", x, binary("arith.mulf", unary("math.sin", s), like(0.5, s)));
        break;
      }
    return x;
  }

  std::string intLike(int value, const std::string &s) {
    return splat(constant("i32", std::to_string(value)), s, scoreType("i32"));
  }
  std::string compare(const char *how, const std::string &a, const std::string &b) {
    return line(scoreType("i1"), formatv("arith.cmpi {0}, {1}, {2} : {3}", how, a, b, types[a]));
  }
  std::string select(const std::string &c, const std::string &a, const std::string &b) {
    return line(types[a], formatv("arith.select {0}, {1}, {2} : {3}, {4}", c, a, b, scoreType("i1"),
                                  types[a]));
  }

  std::string mask(std::string x, const std::string &s) {
    std::string q = position("query", s), k = position("key", s);
    auto nothing = [&] { return splat(constant("f32", "0xFF800000"), s, scoreType("f32")); };
    std::string seen = compare("sle", k, q);
    if (feature("prefix", 40))
      seen = binary("arith.ori", seen, compare("slt", k, intLike(draw(1, 9), s)));
    switch (draw(0, 3)) {
    case 0: // select
      x = select(seen, x, nothing());
      break;
    case 1: // negated
      summary += " negated";
      x = select(
          binary("arith.xori", seen, splat(line("i1", "arith.constant true"), s, scoreType("i1"))),
          nothing(), x);
      break;
    case 2: // added
      summary += " added";
      x = binary("arith.addf", x, select(seen, like(0, s), nothing()));
      break;
    case 3: // masked, then scaled and biased
      summary += " mask-first";
      x = select(seen, x, nothing());
      x = binary("arith.addf", binary("arith.mulf", x, like(1.5, s)), toFloat(k));
      break;
    }
    if (feature("window", 50))
      x = select(compare("slt", binary("arith.subi", q, k), intLike(draw(1, 12), s)), x, nothing());
    if (feature("holes", 30)) { // Rows that see no key at all are among these.
      std::string rest = binary("arith.remsi", binary("arith.addi", q, k), intLike(3, s));
      x = select(compare("eq", rest, intLike(1, s)), x, nothing());
    }
    if (feature("threshold", 20)) { // A mask that reads the score stays in the score region.
      std::string low = line(scoreType("i1"),
                             formatv("arith.cmpf olt, {0}, {1} : {2}", s, like(-0.5, s), types[s]));
      x = select(low, nothing(), x);
    }
    return x;
  }

  std::string silu(const std::string &x) {
    std::string one = floatLike(1, x, types[x]);
    return binary("arith.divf", x,
                  binary("arith.addf", unary("math.exp", unary("arith.negf", x)), one));
  }

  std::string feedForward(const std::string &x) {
    std::string n = norm(x, "norm2", hidden), y;
    std::string first = linear(n, "first", inner, hidden, biases);
    if (gated)
      y = binary("arith.mulf", silu(first), linear(n, "second", inner, hidden, biases));
    else
      y = binary("arith.maximumf", first, floatLike(0, first, types[first]));
    y = linear(y, "down", hidden, inner, biases);
    return binary("arith.addf", x, postNorm ? norm(y, "post2", hidden) : y);
  }

  void ending(const std::string &x) {
    prefix = "end";
    std::string last =
        line(rows(hidden), formatv("graph.take_rows {0} of %batch : {1} -> {1}", x, rows(hidden)));
    std::string logits = linear(norm(last, "norm", hidden), "head", vocabulary, hidden, false);
    if (feature("logit-cap", 40))
      logits = binary(
          "arith.mulf",
          unary("math.tanh", binary("arith.divf", logits, floatLike(5, logits, types[logits]))),
          floatLike(5, logits, types[logits]));
    std::string values = logits, kinds = rows(vocabulary);
    for (const std::string &cache : caches) {
      values += ", " + cache;
      kinds += ", !cache";
    }
    text += "    return " + values + " : " + kinds + "\n}\n";
  }

  std::mt19937_64 &random;
  std::string text, summary, prefix = "begin", rope, positions;
  std::map<std::string, std::string> types;
  std::vector<std::string> caches;
  int next = 0;
  int layers = 0, heads = 0, cacheHeads = 0, dim = 0, hidden = 0, inner = 0, vocabulary = 0,
      page = 0;
  bool rotates = false, interleaved = false, layerNorm = false, biases = false, headNorm = false;
  bool postNorm = false, sinks = false, gated = false;
};

} // namespace

RandomModel randomModel(std::mt19937_64 &random) { return Writer(random).write(); }

} // namespace quire::test
