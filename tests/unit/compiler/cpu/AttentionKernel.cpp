// Text of an attention kernel: see KernelRunner.h.
#include "tests/unit/compiler/cpu/KernelRunner.h"

#include <cmath>
#include <sstream>

using namespace quire::test;

namespace {

constexpr const char *kMgn = "affine_map<(m, g, n) -> (m, g, n)>";
constexpr const char *kMg = "affine_map<(m, g, n) -> (m, g)>";

class AttentionWriter {
public:
  explicit AttentionWriter(const AttentionShape &s) : s(s) {
    std::string rows = std::to_string(s.queries) + "x" + std::to_string(s.group());
    query = "tensor<" + rows + "x" + std::to_string(s.dim) + "xf32>";
    state = "tensor<" + rows + "xf32>";
    score = "tensor<" + rows + "x" + std::to_string(s.keys) + "xf32>";
    key = "tensor<" + std::to_string(s.dim) + "x" + std::to_string(s.keys) + "x" + s.element + ">";
    value = "tensor<" + std::to_string(s.keys) + "x" + std::to_string(s.dim) + "x" + s.element + ">";
    std::string heads = "memref<?x" + std::to_string(s.cacheHeads) + "x";
    kPool = heads + std::to_string(s.dim) + "x" + std::to_string(s.page) + "x" + s.element + ">";
    vPool = heads + std::to_string(s.page) + "x" + std::to_string(s.dim) + "x" + s.element + ">";
    buffer = "memref<?x" + std::to_string(s.heads) + "x" + std::to_string(s.dim) + "xf32>";
  }

  std::string write(const std::string &name) {
    header(name);
    loop("full", "%begin", "%split", "%acc0, %max0, %sum0", false);
    loop("partial", "%split", "%end", "%full#0, %full#1, %full#2", true);
    generic("%o", {kMgn, kMg, kMgn}, "", "%partial#0, %partial#2 : " + query + ", " + state, "%eq",
            query, {"f32", "f32"},
            "    %empty = arith.cmpf oeq, %i1, %zero : f32\n    %r = arith.divf %one, %i1 : f32\n"
            "    %rr = arith.select %empty, %zero, %r : f32\n    %v = arith.mulf %i0, %rr : f32\n");
    out << "  tile.store %o, %y[%row, %head, %c0] rows %n : " << query << ", " << buffer
        << "\n  tile.return\n}\n";
    return out.str();
  }

private:
  void header(const std::string &name) {
    out << "tile.kernel @" << name << "(%q: " << buffer << ", %kpool: " << kPool << ", %vpool: "
        << vPool << ",\n    %table: memref<?xi32>, %items: memref<?x8xi32>, %max_pages: index, %y: "
        << buffer << ")\n    binds [<operand>, <pool, 1, \"k\">, <pool, 1, \"v\">, <batch, "
        << "\"block_table\">, <work_list>, <scalar, \"max_pages\">, <result>]\n    grid [<work_list>, "
        << "<constant, " << s.cacheHeads << ">] schedule <queries = " << s.queries << ", keys = "
        << s.keys << ", registers = [" << s.registers[0] << ", " << s.registers[1] << ", "
        << s.registers[2] << "]>\n    partition <queries = " << s.queries
        << ", min = 1, max = 0> {\n";
    for (int64_t constant : {0, 1, 2, 3, 4, 5})
      out << "  %c" << constant << " = arith.constant " << constant << " : index\n";
    out << "  %group = arith.constant " << s.group() << " : index\n  %page = arith.constant "
        << s.page << " : index\n  %step = arith.constant " << s.keys << " : index\n"
        << "  %zero = arith.constant 0.0 : f32\n  %one = arith.constant 1.0 : f32\n"
        << "  %ninf = arith.constant 0xFF800000 : f32\n"
        << "  %item = tile.work_item 0\n  %g = tile.work_item 1\n"
        << "  %w = tile.load %items[%item, %c0] : memref<?x8xi32> -> tensor<8xi32>\n";
    const char *fields[] = {"seq", "row", "n", "pos", "begin", "end"};
    for (int field = 0; field < 6; ++field)
      out << "  %f" << field << " = tensor.extract %w[%c" << field << "] : tensor<8xi32>\n  %"
          << fields[field] << " = arith.index_cast %f" << field << " : i32 to index\n";
    // Keys up to the first query's are seen by all queries; whole tiles of them need no mask.
    out << "  %first = arith.muli %seq, %max_pages : index\n"
        << "  %head = arith.muli %g, %group : index\n"
        << "  %seen0 = arith.addi %pos, %c1 : index\n  %seen1 = arith.minsi %seen0, %end : index\n"
        << "  %seen2 = arith.maxsi %seen1, %begin : index\n"
        << "  %seen3 = arith.divui %seen2, %step : index\n"
        << "  %split = arith.muli %seen3, %step : index\n"
        << "  %qt = tile.load %q[%row, %head, %c0] : " << buffer << " -> " << query << "\n"
        << "  %eq = tensor.empty() : " << query << "\n  %es = tensor.empty() : " << state
        << "\n  %ep = tensor.empty() : " << score << "\n"
        << "  %acc0 = linalg.fill ins(%zero : f32) outs(%eq : " << query << ") -> " << query << "\n"
        << "  %max0 = linalg.fill ins(%ninf : f32) outs(%es : " << state << ") -> " << state << "\n"
        << "  %sum0 = linalg.fill ins(%zero : f32) outs(%es : " << state << ") -> " << state << "\n";
  }

  void generic(const std::string &result, std::vector<std::string> maps,
               const std::string &iterators, const std::string &ins, const std::string &outs,
               const std::string &type, std::vector<std::string> elements,
               const std::string &body) {
    out << "  " << result << " = linalg.generic {indexing_maps = [";
    for (size_t i = 0; i < maps.size(); ++i)
      out << (i ? ", " : "") << maps[i];
    out << "], iterator_types = [";
    std::string kinds = iterators;
    if (kinds.empty())
      kinds = maps.back() == kMgn ? "ppp" : "pp";
    for (size_t i = 0; i < kinds.size(); ++i)
      out << (i ? ", " : "") << (kinds[i] == 'p' ? "\"parallel\"" : "\"reduction\"");
    out << "]}\n      ins(" << ins << ") outs(" << outs << " : " << type << ") {\n  ^bb0(";
    for (size_t i = 0; i < elements.size(); ++i)
      out << "%i" << i << ": " << elements[i] << ", ";
    out << "%o0: " << type.substr(type.rfind('x') + 1, type.size() - type.rfind('x') - 2) << "):\n"
        << body << "    linalg.yield %v : f32\n  } -> " << type << "\n";
  }

  /// acc + ext(i1) * i0
  std::string multiplyAdd() const {
    std::string widen = s.element == "f32" ? "" : "    %w1 = arith.extf %i1 : " + s.element + " to f32\n";
    return widen + "    %m = arith.mulf %i0, " + (widen.empty() ? "%i1" : "%w1") +
           " : f32\n    %v = arith.addf %o0, %m : f32\n";
  }

  void loop(const std::string &name, const std::string &from, const std::string &to,
            const std::string &inits, bool masked) {
    out << "  %" << name << ":3 = scf.for %kv = " << from << " to " << to
        << " step %step iter_args(%acc = " << inits.substr(0, inits.find(',')) << ", %max ="
        << inits.substr(inits.find(',') + 1, inits.rfind(',') - inits.find(',') - 1) << ", %sum ="
        << inits.substr(inits.rfind(',') + 1) << ") -> (" << query << ", " << state << ", " << state
        << ") {\n"
        << "  %pi = arith.divui %kv, %page : index\n  %po = arith.remui %kv, %page : index\n"
        << "  %pe = arith.addi %first, %pi : index\n"
        << "  %pt = tile.load %table[%pe] : memref<?xi32> -> tensor<1xi32>\n"
        << "  %p32 = tensor.extract %pt[%c0] : tensor<1xi32>\n"
        << "  %pp = arith.index_cast %p32 : i32 to index\n"
        << "  %k = tile.load %kpool[%pp, %g, %c0, %po] : " << kPool << " -> " << key << "\n"
        << "  %" << (masked ? "vt0" : "vt") << " = tile.load %vpool[%pp, %g, %po, %c0] : " << vPool
        << " -> " << value << "\n"
        << "  %fs = linalg.fill ins(%zero : f32) outs(%ep : " << score << ") -> " << score << "\n";
    generic("%qk", {"affine_map<(m, g, n, d) -> (m, g, d)>", "affine_map<(m, g, n, d) -> (d, n)>",
                    "affine_map<(m, g, n, d) -> (m, g, n)>"},
            "pppr", "%qt, %k : " + query + ", " + key, "%fs", score, {"f32", s.element},
            multiplyAdd());
    std::ostringstream body;
    double scale = 1 / std::sqrt(static_cast<double>(s.dim));
    auto number = [](double value) {
      std::ostringstream text;
      text.precision(9);
      text << std::scientific << value;
      return text.str();
    };
    body << "    %sc = arith.constant " << number(scale) << " : f32\n    %s0 = arith.mulf %i0, %sc : f32\n";
    std::string last = "%s0";
    if (s.softCap) {
      body << "    %cap = arith.constant 30.0 : f32\n    %t0 = arith.divf %s0, %cap : f32\n"
           << "    %t1 = math.tanh %t0 : f32\n    %s1 = arith.mulf %t1, %cap : f32\n";
      last = "%s1";
    }
    body << "    %l2 = arith.constant 1.44269504 : f32\n    %s2 = arith.mulf " << last
         << ", %l2 : f32\n";
    if (masked)
      body << "    %im = linalg.index 0 : index\n    %in = linalg.index 2 : index\n"
           << "    %qp = arith.addi %pos, %im : index\n    %kp = arith.addi %kv, %in : index\n"
           << "    %c = arith.cmpi sle, %kp, %qp : index\n    %e = arith.cmpi slt, %kp, %end : index\n"
           << "    %ce = arith.andi %c, %e : i1\n    %v = arith.select %ce, %s2, %ninf : f32\n";
    else
      body << "    %v = arith.addf %s2, %zero : f32\n";
    generic("%s", {kMgn, kMgn}, "", "%qk : " + score, "%ep", score, {"f32"}, body.str());
    generic("%mx", {kMgn, kMg}, "ppr", "%s : " + score, "%max", state, {"f32"},
            "    %v = arith.maximumf %i0, %o0 : f32\n");
    // (-inf) - (-inf) of a row without keys so far must not become NaN.
    const char *guard = "    %none = arith.cmpf oeq, %i1, %ninf : f32\n"
                        "    %safe = arith.select %none, %zero, %i1 : f32\n"
                        "    %d = arith.subf %i0, %safe : f32\n    %v = math.exp2 %d : f32\n";
    generic("%alpha", {"affine_map<(m, g) -> (m, g)>", "affine_map<(m, g) -> (m, g)>",
                       "affine_map<(m, g) -> (m, g)>"},
            "", "%max, %mx : " + state + ", " + state, "%es", state, {"f32", "f32"}, guard);
    generic("%p", {kMgn, kMg, kMgn}, "", "%s, %mx : " + score + ", " + state, "%ep", score,
            {"f32", "f32"}, guard);
    generic("%ss", {"affine_map<(m, g) -> (m, g)>", "affine_map<(m, g) -> (m, g)>",
                    "affine_map<(m, g) -> (m, g)>"},
            "", "%sum, %alpha : " + state + ", " + state, "%es", state, {"f32", "f32"},
            "    %v = arith.mulf %i0, %i1 : f32\n");
    generic("%sn", {kMgn, kMg}, "ppr", "%p : " + score, "%ss", state, {"f32"},
            "    %v = arith.addf %o0, %i0 : f32\n");
    generic("%as", {kMgn, kMg, kMgn}, "", "%acc, %alpha : " + query + ", " + state, "%eq", query,
            {"f32", "f32"}, "    %v = arith.mulf %i0, %i1 : f32\n");
    if (masked) {
      // What lies beyond the last key may be NaN, and 0 * NaN is not 0.
      std::string type = s.element;
      out << "  %zv = arith.constant 0.0 : " << type << "\n  %ev = tensor.empty() : " << value
          << "\n  %vt = linalg.generic {indexing_maps = [affine_map<(n, e) -> (n, e)>, "
          << "affine_map<(n, e) -> (n, e)>], iterator_types = [\"parallel\", \"parallel\"]} ins(%vt0 : "
          << value << ") outs(%ev : " << value << ") {\n  ^bb0(%i0: " << type << ", %o0: " << type
          << "):\n    %in = linalg.index 0 : index\n    %kp = arith.addi %kv, %in : index\n"
          << "    %e = arith.cmpi slt, %kp, %end : index\n    %r = arith.select %e, %i0, %zv : " << type
          << "\n    linalg.yield %r : " << type << "\n  } -> " << value << "\n";
    }
    generic("%an", {"affine_map<(m, g, e, n) -> (m, g, n)>", "affine_map<(m, g, e, n) -> (n, e)>",
                    "affine_map<(m, g, e, n) -> (m, g, e)>"},
            "pppr", "%p, %vt : " + score + ", " + value, "%as", query, {"f32", s.element},
            multiplyAdd());
    out << "  scf.yield %an, %mx, %sn : " << query << ", " << state << ", " << state << "\n  }\n";
  }

  const AttentionShape &s;
  std::string query, state, score, key, value, kPool, vPool, buffer;
  std::ostringstream out;
};

} // namespace

std::string quire::test::attentionKernel(const AttentionShape &shape, const std::string &name) {
  return AttentionWriter(shape).write(name);
}
