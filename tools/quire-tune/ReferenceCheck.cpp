// Implements ReferenceCheck.h.
#include "tools/quire-tune/ReferenceCheck.h"

#include "compiler/Driver.h"
#include "compiler/operator/ImportOperator.h"
#include "compiler/reference/Interpreter.h"
#include "runtime/plan/FloatElement.h"
#include "runtime/weights/Prepack.h"

#include "mlir/IR/MLIRContext.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

namespace quire::tune {
namespace {

constexpr uint32_t kRows = 150;   ///< of the checked step of a linear: more than any tile has
constexpr uint32_t kColumns = 48; ///< checked columns of a linear
/// Keys of the longest checked sequence, and rows of a step of attention whose results are checked.
constexpr int64_t kKeys = 530, kAttentionRows = 48;

using Sample = std::vector<uint32_t>;

/// `count` of 0 … size - 1, with both ends and the neighbours of multiples of 16 and 64 among them.
Sample sampleOf(uint32_t size, uint32_t count, std::mt19937_64 &random) {
  std::set<uint32_t> chosen;
  for (uint32_t wish : {0u, size - 1, 1u, 15u, 16u, 63u, 64u, 127u, 128u})
    if (wish < size && chosen.size() < count)
      chosen.insert(wish);
  while (chosen.size() < std::min(count, size))
    chosen.insert(static_cast<uint32_t>(random() % size));
  return {chosen.begin(), chosen.end()};
}

Sample firstOnes(uint32_t count) {
  Sample all(count);
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

class Maker {
public:
  Maker(const Subject &subject, const Plan &plan, const std::string &templates)
      : subject(subject), plan(plan), templates(templates), random(std::random_device{}()) {}

  Result<ReferenceCheck> run() {
    compiler::prepareContext(context);
    QUIRE_ASSIGN_OR_RETURN(compiler::Signature small, compiler::parseSignature(subject.signature));
    if (subject.isLinear()) {
      columns = sampleOf(outputColumns(), kColumns, random);
      small.set("out_features", std::to_string(columns.size()));
    } else {
      columns = firstOnes(static_cast<uint32_t>(subject.shape.group * subject.shape.headDim));
      small.set("heads", std::to_string(subject.shape.group));
      small.set("kv_heads", "1");
    }
    std::vector<std::string> warnings;
    QUIRE_ASSIGN_OR_RETURN(
        auto module, compiler::importOperator(context, textOf(small), templates, {}, warnings));
    step = module->lookupSymbol<mlir::func::FuncOp>("step");
    reference::Interpreter interpreter(
        step, [this](llvm::StringRef tensor) { return weight(tensor); });
    check.json = {{"tolerance", tolerance()}, {"steps", nlohmann::json::array()}};
    if (subject.isLinear()) {
      QUIRE_RETURN_IF_ERROR(addStep(interpreter, {kRows}));
    } else {
      int64_t longest = std::min(kKeys, subject.shape.context - 8), page = subject.shape.page;
      auto tokens = [&](int64_t count) {
        return static_cast<uint32_t>(std::clamp<int64_t>(count, 1, longest));
      };
      QUIRE_RETURN_IF_ERROR(addStep(
          interpreter, {tokens(longest), 1, tokens(page + 1), tokens(page), tokens(page - 1)}));
      QUIRE_RETURN_IF_ERROR(addStep(interpreter, {1, 1, 1, 0, 1}));
      QUIRE_RETURN_IF_ERROR(addStep(interpreter, {3, 1, 2, 5, 0}));
    }
    return std::move(check);
  }

private:
  Status wrong(const std::string &what) const {
    return Status::error(ErrorCode::Internal, subject.signature + ": " + what);
  }

  const plan::TensorRecord *output() const {
    for (const plan::TensorRecord &tensor : plan.tensors())
      if (tensor.isOutput)
        return &tensor;
    return nullptr;
  }
  uint32_t outputColumns() const { return static_cast<uint32_t>(output()->columns); }

  /// One rounding of the result, and of attention one of the softmax's weights; f32 sums.
  double tolerance() const {
    switch (output()->element) {
    case plan::ElementType::BF16:
      return 6e-3;
    case plan::ElementType::F16:
      return 1e-3;
    default:
      return 1e-4;
    }
  }

  /// The rows of a weight that the checked columns are products with.
  mlir::FailureOr<std::vector<float>> weight(llvm::StringRef tensor) {
    for (const plan::SourceRecord &source : plan.sources()) {
      if (llvm::StringRef(plan.string(source.tensor)) != tensor)
        continue;
      std::vector<float> values;
      std::vector<uint8_t> row(source.columns * plan::elementBytes(source.element));
      for (uint32_t column : columns) {
        computeRandomRows(source, column, 1, 0, source.columns, row.data());
        for (uint64_t i = 0; i < source.columns; ++i)
          values.push_back(plan::loadFloat(source.element, row.data(), i));
      }
      return values;
    }
    return mlir::failure();
  }

  /// Draws the inputs of a step and lets the interpreter run its small twin.
  Status addStep(reference::Interpreter &interpreter, const std::vector<uint32_t> &tokens) {
    uint32_t total = std::accumulate(tokens.begin(), tokens.end(), 0u);
    bool isLinear = subject.isLinear();
    Sample rows = sampleOf(total, isLinear ? 16 : kAttentionRows, random);
    nlohmann::json entry = {{"tokens", tokens}, {"inputs", check.bytes.size()}, {"rows", rows},
                            {"columns", columns}};
    Sample given = isLinear ? rows : firstOnes(total); // what the interpreter sees
    llvm::StringMap<reference::Tensor> inputs;
    for (const plan::TensorRecord &tensor : plan.tensors())
      if (!tensor.isOutput)
        inputs[std::string(plan.string(tensor.name))] = draw(tensor, total, given);
    reference::Batch batch;
    if (isLinear)
      batch.push_back({0, std::vector<int32_t>(given.size())});
    else
      for (size_t s = 0; s < tokens.size(); ++s)
        if (tokens[s])
          batch.push_back({static_cast<int64_t>(s), std::vector<int32_t>(tokens[s])});
    std::string error;
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      error = diagnostic.str();
      return mlir::success();
    });
    auto results = interpreter.run(batch, inputs);
    if (mlir::failed(results) || results->empty())
      return wrong("the reference interpreter failed: " + error);
    const reference::Tensor &result = results->front();
    entry["expected"] = check.bytes.size();
    for (size_t i = 0; i < rows.size(); ++i)
      for (size_t column = 0; column < columns.size(); ++column)
        append(plan::ElementType::F32, static_cast<float>(result.row(static_cast<int64_t>(
                                           isLinear ? i : rows[i]))[column]));
    check.json["steps"].push_back(entry);
    return Status::ok();
  }

  /// `total` rows of an input into check.bin; the part of rows `given` that the small twin has.
  reference::Tensor draw(const plan::TensorRecord &tensor, uint32_t total, const Sample &given) {
    std::normal_distribution<float> normal;
    uint64_t begin = check.bytes.size();
    for (uint64_t i = 0; i < total * tensor.columns; ++i)
      append(tensor.element, normal(random));
    Sample picked = pick(tensor);
    reference::Tensor part({static_cast<int64_t>(given.size()), static_cast<int64_t>(picked.size())});
    for (size_t row = 0; row < given.size(); ++row)
      for (size_t i = 0; i < picked.size(); ++i)
        part.row(static_cast<int64_t>(row))[i] = plan::loadFloat(
            tensor.element, check.bytes.data() + begin, given[row] * tensor.columns + picked[i]);
    return part;
  }

  /// The columns of an input that the small twin has.
  Sample pick(const plan::TensorRecord &tensor) const {
    std::string_view name = plan.string(tensor.name);
    if (subject.isLinear())
      return name == "r" ? columns : firstOnes(static_cast<uint32_t>(tensor.columns));
    return firstOnes(static_cast<uint32_t>(name == "q" ? subject.shape.group * subject.shape.headDim
                                                       : subject.shape.headDim));
  }

  void append(plan::ElementType element, float value) {
    uint64_t size = plan::elementBytes(element);
    check.bytes.resize(check.bytes.size() + size);
    plan::storeFloat(element, check.bytes.data() + check.bytes.size() - size, 0, value);
  }

  const Subject &subject;
  const Plan &plan;
  const std::string &templates;
  std::mt19937_64 random;
  mlir::MLIRContext context;
  mlir::func::FuncOp step;
  Sample columns; ///< of the output
  ReferenceCheck check;
};

} // namespace

Result<ReferenceCheck> makeReferenceCheck(const Subject &subject, const Plan &plan,
                                          const std::string &templates) {
  return Maker(subject, plan, templates).run();
}

} // namespace quire::tune
