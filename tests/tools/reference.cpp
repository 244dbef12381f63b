// quire-reference: runs the step function of a module in the reference interpreter, with random
// weights and inputs that depend on names and the seed only, and prints what comes out. Two modules
// that mean the same print the same, to rounding:
//   quire-reference before.mlir --tokens=1,2,3 && quire-reference after.mlir --tokens=1,2,3
#include "compiler/reference/Interpreter.h"

#include "dialect/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <random>

using namespace mlir;
using namespace quire;

namespace {

/// Normal numbers with deviation 0.3, by name.
std::vector<float> randomNumbers(StringRef name, uint64_t seed, size_t count) {
  std::mt19937_64 random(seed ^ llvm::xxh3_64bits(name));
  std::normal_distribution<float> normal(0, 0.3f);
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(random);
  return values;
}

reference::WeightLoader randomWeights(ModuleOp module, uint64_t seed) {
  llvm::StringMap<size_t> sizes;
  module.walk([&](graph::WeightOp weight) {
    for (graph::SourceAttr source : weight.getSources())
      sizes[source.getTensor()] = source.getRows() * source.getColumns();
  });
  return [sizes, seed](StringRef tensor) -> FailureOr<std::vector<float>> {
    return randomNumbers(tensor, seed, sizes.lookup(tensor));
  };
}

/// Random rows for every named float argument.
llvm::StringMap<reference::Tensor> randomInputs(func::FuncOp step, int64_t rows, uint64_t seed) {
  llvm::StringMap<reference::Tensor> inputs;
  for (BlockArgument argument : step.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    auto name = step.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "quire.name");
    if (!type || !name || !isa<FloatType>(type.getElementType()))
      continue;
    SmallVector<int64_t> shape(type.getShape());
    shape[0] = type.isDynamicDim(0) ? rows : shape[0];
    reference::Tensor input(shape);
    llvm::copy(randomNumbers(name.getValue(), seed, input.values.size()), input.values.begin());
    inputs[name.getValue()] = std::move(input);
  }
  return inputs;
}

void print(const reference::Tensor &tensor, size_t columns) {
  for (int64_t row = 0; row < tensor.rows(); ++row) {
    size_t count = std::min<size_t>(columns, tensor.rowSize());
    for (double value : ArrayRef(tensor.row(row), count))
      llvm::outs() << llvm::format(" % .6f", value);
    llvm::outs() << (count < static_cast<size_t>(tensor.rowSize()) ? " ...\n" : "\n");
  }
}

} // namespace

int main(int argc, char **argv) {
  namespace cl = llvm::cl;
  cl::opt<std::string> file(cl::Positional, cl::init("-"), cl::desc("MODULE.mlir"));
  cl::list<int> tokens("tokens", cl::CommaSeparated, cl::desc("tokens of the one sequence"));
  cl::opt<int> chunk("chunk", cl::init(0), cl::desc("tokens a step; 0 takes all in one"));
  cl::opt<int> rows("rows", cl::init(2), cl::desc("rows of other inputs"));
  cl::opt<unsigned> columns("columns", cl::init(8), cl::desc("numbers printed of a row"));
  cl::opt<uint64_t> seed("seed", cl::init(1), cl::desc("of weights and inputs"));
  cl::opt<bool> single("f32", cl::desc("round every op's result to its element type"));
  cl::ParseCommandLineOptions(argc, argv, "runs a graph module in the reference interpreter\n");

  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<graph::GraphDialect, arith::ArithDialect, func::FuncDialect,
                      math::MathDialect>();
  auto module = parseSourceFile<ModuleOp>(file, &context);
  auto step = module ? module->lookupSymbol<func::FuncOp>("step") : func::FuncOp();
  if (!step) {
    llvm::errs() << "error: " << file << " holds no function @step\n";
    return 1;
  }
  reference::Interpreter interpreter(step, randomWeights(*module, seed),
                                     single ? reference::Precision::Float32
                                            : reference::Precision::Float64);
  auto inputs = randomInputs(step, rows, seed);
  size_t count = tokens.size(), size = chunk > 0 ? chunk : std::max<size_t>(count, 1);
  for (size_t begin = 0; begin == 0 || begin < count; begin += size) {
    reference::Batch batch;
    if (count) {
      size_t end = std::min(begin + size, count);
      batch.push_back(
          {0, {tokens.begin() + begin, tokens.begin() + end}, {int64_t(end - begin) - 1}});
    }
    auto results = interpreter.run(batch, inputs);
    if (failed(results))
      return 1;
    for (const reference::Tensor &result : *results)
      print(result, columns);
  }
  return 0;
}
