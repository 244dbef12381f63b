// Bounds of the KV loop against the mask evaluated for every query and key. Kernels are built for
// constant positions, so that all bounds fold to numbers, which are then walked tile by tile.
//   - every key that some query sees lies in exactly one visited tile,
//   - in a full tile every query sees every key, and every key exists,
//   - causal, window, prefix and chunk masks visit no tile that nobody sees, and miss no full one.
#include "compiler/tile/Passes.h"
#include "tests/support/RandomSeed.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <sstream>

using namespace mlir;

namespace {

constexpr int kTile = 32;

struct Positions {
  int query, queries, begin, end; ///< keys [begin, end), begin a multiple of the tile
};

/// A mask twice: as IR of i32 values %qp and %kp that ends in %seen, and as a function.
struct Mask {
  std::string text;
  std::function<bool(int query, int key)> sees;
};

std::string kernelText(const Mask &mask, const Positions &at) {
  std::string rows = std::to_string(at.queries);
  std::ostringstream text;
  text << "tile.kernel @k(%kp0: memref<?x1x16x32xf32>, %vp0: memref<?x1x32x16xf32>, %t: "
          "memref<?xi32>,"
          " %y: memref<?x1x16xf32>) binds [<pool, 0, \"k\">, <pool, 0, \"v\">,"
          " <batch, \"block_table\">, <result>] schedule <keys = "
       << kTile << "> {\n"
       << "  %c0 = arith.constant 0 : index\n  %pos = arith.constant " << at.query
       << " : index\n  %begin = arith.constant " << at.begin << " : index\n  %end = arith.constant "
       << at.end << " : index\n  %q = tensor.empty() : tensor<" << rows << "x1x16xf32>\n"
       << "  %m = tensor.empty() : tensor<" << rows << "x1xf32>\n"
       << "  %k = tile.page_view %kp0, %t[%c0] head %c0 keys %begin to %end tokens 1"
          " : memref<?x1x16x32xf32>, memref<?xi32> -> tensor<16x?xf32>\n"
       << "  %v = tile.page_view %vp0, %t[%c0] head %c0 keys %begin to %end tokens 0"
          " : memref<?x1x32x16xf32>, memref<?xi32> -> tensor<?x16xf32>\n"
       << "  %r:3 = tile.online_attention query(%q at %pos head %c0) key(%k at %begin end %end)"
          " value(%v) outs(%q, %m, %m) score {\n  ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):\n"
          "    tile.yield %s : f32\n  } mask {\n  ^bb0(%qp: i32, %kp: i32, %h: i32):\n"
       << mask.text << "    tile.yield %seen : i1\n  } : tensor<" << rows
       << "x1x16xf32>, tensor<16x?xf32>, tensor<?x16xf32> -> tensor<" << rows
       << "x1x16xf32>, tensor<" << rows << "x1xf32>, tensor<" << rows << "x1xf32>\n"
       << "  tile.store %r#0, %y[%c0, %c0, %c0] : tensor<" << rows
       << "x1x16xf32>, memref<?x1x16xf32>\n  tile.return\n}\n";
  return text.str();
}

class BoundMask : public ::testing::Test {
protected:
  BoundMask() {
    DialectRegistry registry;
    registry.insert<quire::tile::TileDialect, affine::AffineDialect, arith::ArithDialect,
                    scf::SCFDialect, tensor::TensorDialect, linalg::LinalgDialect,
                    memref::MemRefDialect, math::MathDialect>();
    context.appendDialectRegistry(registry);
    random.seed(quire::test::randomSeed());
  }

  int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }

  Positions drawPositions() {
    Positions at;
    at.queries = draw(0, 1) ? 1 : draw(1, 8);
    at.query = draw(0, 400);
    // The sequence ends with the last query that exists, or behind it; splits end with a tile.
    int length = at.query + draw(1, at.queries) + draw(0, 1) * draw(0, 40);
    at.begin = draw(0, 2) ? 0 : draw(0, 8) * kTile;
    at.end = std::max(at.begin, length);
    if (draw(0, 2) == 0)
      at.end = std::min(at.end, at.begin + draw(0, 6) * kTile);
    return at;
  }

  /// First keys of the visited tiles, and whether each is full.
  std::multimap<int, bool> visited(const Mask &mask, const Positions &at) {
    std::multimap<int, bool> tiles;
    auto module = parseSourceString<ModuleOp>(kernelText(mask, at), &context);
    EXPECT_TRUE(module);
    if (!module)
      return tiles;
    PassManager manager(&context);
    OpPassManager &kernel = manager.nest<quire::tile::KernelOp>();
    kernel.addPass(quire::tile::createTileReductionPass());
    kernel.addPass(quire::tile::createBoundMaskPass());
    EXPECT_TRUE(succeeded(manager.run(*module)));
    // Bounds fold without touching the loops themselves.
    module->walk([&](scf::ForOp loop) {
      auto attention = *loop.getBody()->getOps<quire::tile::OnlineAttentionOp>().begin();
      std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound()),
                             to = getConstantIntValue(loop.getUpperBound());
      EXPECT_TRUE(from && to) << "bounds of constant positions must be constants";
      if (from && to)
        for (int64_t first = *from; first < *to; first += kTile)
          tiles.emplace(static_cast<int>(first), attention.getFull());
    });
    return tiles;
  }

  void check(const Mask &mask, const Positions &at, bool isExact) {
    SCOPED_TRACE("queries " + std::to_string(at.query) + " + " + std::to_string(at.queries) +
                 ", keys " + std::to_string(at.begin) + " to " + std::to_string(at.end) + "\n" +
                 mask.text);
    std::multimap<int, bool> tiles = visited(mask, at);
    for (int first = at.begin; first < at.end; first += kTile) {
      int seen = 0;
      for (int key = first; key < std::min(first + kTile, at.end); ++key)
        for (int query = at.query; query < at.query + at.queries; ++query)
          seen += mask.sees(query, key);
      bool isFull = seen == kTile * at.queries;
      size_t visits = tiles.count(first);
      EXPECT_LE(visits, 1u) << "tile " << first << " is visited twice";
      if (seen > 0) {
        EXPECT_EQ(visits, 1u) << "tile " << first << " is seen and not visited";
      } else if (isExact) {
        EXPECT_EQ(visits, 0u) << "tile " << first << " is visited for nothing";
      }
      if (visits == 1 && tiles.find(first)->second) {
        EXPECT_TRUE(isFull) << "tile " << first << " is no full tile";
      } else if (isExact && isFull) {
        ADD_FAILURE() << "full tile " << first << " is masked key by key";
      }
    }
    for (auto [first, full] : tiles)
      EXPECT_TRUE(first % kTile == 0 && first >= at.begin && first < at.end)
          << "tile " << first << " has no keys";
  }

  MLIRContext context;
  std::mt19937_64 random;
};

Mask causal() {
  return {"    %seen = arith.cmpi sle, %kp, %qp : i32\n", [](int q, int k) { return k <= q; }};
}

Mask window(int size) {
  return {"    %w = arith.constant " + std::to_string(size) +
              " : i32\n    %a = arith.cmpi sle, %kp, %qp : i32\n"
              "    %d = arith.subi %qp, %kp : i32\n    %b = arith.cmpi slt, %d, %w : i32\n"
              "    %seen = arith.andi %a, %b : i1\n",
          [=](int q, int k) { return k <= q && q - k < size; }};
}

Mask prefix(int size) {
  return {"    %p = arith.constant " + std::to_string(size) +
              " : i32\n    %a = arith.cmpi sle, %kp, %qp : i32\n"
              "    %b = arith.cmpi sgt, %p, %kp : i32\n    %seen = arith.ori %a, %b : i1\n",
          [=](int q, int k) { return k <= q || k < size; }};
}

Mask windowOrPrefix(int size, int prefixSize) {
  return {"    %w = arith.constant " + std::to_string(size) + " : i32\n    %p = arith.constant " +
              std::to_string(prefixSize) +
              " : i32\n    %a = arith.cmpi sle, %kp, %qp : i32\n"
              "    %d = arith.subi %qp, %kp : i32\n    %b = arith.cmpi slt, %d, %w : i32\n"
              "    %c = arith.cmpi slt, %kp, %p : i32\n    %e = arith.ori %b, %c : i1\n"
              "    %seen = arith.andi %a, %e : i1\n",
          [=](int q, int k) { return k <= q && (q - k < size || k < prefixSize); }};
}

Mask chunk(int size) {
  return {"    %c = arith.constant " + std::to_string(size) +
              " : i32\n    %a = arith.divsi %qp, %c : i32\n    %b = arith.divsi %kp, %c : i32\n"
              "    %seen = arith.cmpi eq, %a, %b : i32\n",
          [=](int q, int k) { return q / size == k / size; }};
}

TEST_F(BoundMask, CausalVisitsExactlyTheSeenTiles) {
  for (int run = 0; run < 200; ++run)
    check(causal(), drawPositions(), true);
}

TEST_F(BoundMask, WindowVisitsExactlyTheSeenTiles) {
  for (int run = 0; run < 200; ++run)
    check(window(draw(1, 200)), drawPositions(), true);
}

TEST_F(BoundMask, PrefixVisitsExactlyTheSeenTiles) {
  for (int run = 0; run < 200; ++run)
    check(prefix(draw(0, 300)), drawPositions(), true);
}

TEST_F(BoundMask, ChunkVisitsTheSeenTiles) {
  for (int run = 0; run < 200; ++run)
    check(chunk(draw(1, 200)), drawPositions(), true);
}

TEST_F(BoundMask, WindowOrPrefixSkipsWhatLiesBetween) {
  for (int run = 0; run < 200; ++run) {
    Positions at = drawPositions();
    int size = draw(1, 120), prefixSize = draw(0, 120);
    // Where both alternatives meet in one tile, that tile is masked although it may be full.
    check(windowOrPrefix(size, prefixSize), at, /*isExact=*/false);
    auto tiles = visited(windowOrPrefix(size, prefixSize), at);
    for (auto [first, full] : tiles)
      EXPECT_TRUE(first < prefixSize || first + kTile > at.query - size + 1)
          << "tile " << first << " is neither in the prefix nor in the window";
  }
}

/// Random conditions joined by and, or and not: bounds may be wide, never wrong.
TEST_F(BoundMask, RandomMasksLoseNoKey) {
  for (int run = 0; run < 300; ++run) {
    int names = 0;
    std::string text;
    std::function<std::pair<std::string, std::function<bool(int, int)>>(int)> condition =
        [&](int depth) -> std::pair<std::string, std::function<bool(int, int)>> {
      std::string name = "%n" + std::to_string(names++);
      int kind = depth == 0 ? 0 : draw(0, 3);
      if (kind == 0) {
        int a = draw(-2, 2), b = draw(-2, 2), c = draw(-150, 150), predicate = draw(0, 5);
        const char *predicates[] = {"sle", "slt", "sge", "sgt", "eq", "ne"};
        std::string id = std::to_string(names++);
        text += "    %a" + id + " = arith.constant " + std::to_string(a) + " : i32\n    %b" + id +
                " = arith.constant " + std::to_string(b) + " : i32\n    %c" + id +
                " = arith.constant " + std::to_string(c) + " : i32\n    %x" + id +
                " = arith.muli %qp, %a" + id + " : i32\n    %y" + id + " = arith.muli %b" + id +
                ", %kp : i32\n    %z" + id + " = arith.addi %x" + id + ", %y" + id +
                " : i32\n    " + name + " = arith.cmpi " + predicates[predicate] + ", %z" + id +
                ", %c" + id + " : i32\n";
        return {name, [=](int q, int k) {
                  int value = a * q + b * k;
                  switch (predicate) {
                  case 0:
                    return value <= c;
                  case 1:
                    return value < c;
                  case 2:
                    return value >= c;
                  case 3:
                    return value > c;
                  case 4:
                    return value == c;
                  default:
                    return value != c;
                  }
                }};
      }
      auto left = condition(depth - 1);
      if (kind == 3) {
        text += "    %t" + name.substr(1) + " = arith.constant true\n    " + name +
                " = arith.xori " + left.first + ", %t" + name.substr(1) + " : i1\n";
        return {name, [=](int q, int k) { return !left.second(q, k); }};
      }
      auto right = condition(depth - 1);
      text += "    " + name + (kind == 1 ? " = arith.andi " : " = arith.ori ") + left.first + ", " +
              right.first + " : i1\n";
      return {name, [=](int q, int k) {
                return kind == 1 ? left.second(q, k) && right.second(q, k)
                                 : left.second(q, k) || right.second(q, k);
              }};
    };
    auto result = condition(3);
    text +=
        "    %yes = arith.constant true\n    %seen = arith.andi " + result.first + ", %yes : i1\n";
    check({text, result.second}, drawPositions(), /*isExact=*/false);
  }
}

} // namespace
