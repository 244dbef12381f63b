// Implements UsefulWork.h.
#include "tools/quire/UsefulWork.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace quire::cli {
using namespace plan;

/// The value of a field of an operator's signature, empty if it has none.
static std::string_view fieldOf(std::string_view signature, std::string_view key) {
  size_t place = 0;
  while ((place = signature.find(key, place)) != std::string_view::npos) {
    bool isWord = place > 0 && signature[place - 1] == ' ';
    place += key.size();
    if (isWord && place < signature.size() && signature[place] == '=')
      return signature.substr(place + 1, signature.find(' ', place) - place - 1);
  }
  return {};
}

/// Keys that query tokens at positions [context, context + queries) see together; 0: unknown.
static double pairsOf(std::string_view signature, uint64_t queries, uint64_t context) {
  std::string_view mask = fieldOf(signature, "mask"), width = fieldOf(signature, "window");
  uint64_t window = 0, keys = context + queries;
  std::from_chars(width.data(), width.data() + width.size(), window);
  if (mask == "full")
    return static_cast<double>(queries) * static_cast<double>(keys);
  if (!mask.empty() && mask != "causal")
    return 0;
  double pairs = 0;
  for (uint64_t key = context + 1; key <= keys; ++key)
    pairs += static_cast<double>(window ? std::min(key, window) : key);
  return pairs;
}

/// Layers with a cache: launches that append to pools, which is without a work list.
static double layersOf(const Plan &plan) {
  uint32_t layers = 0;
  for (const InstructionRecord &instruction : plan.instructions()) {
    bool pool = false, list = false;
    for (const OperandRecord &operand :
         plan.operands().subspan(instruction.firstOperand, instruction.operandCount)) {
      pool |= operand.kind == OperandKind::Pool;
      list |= operand.kind == OperandKind::WorkList;
    }
    layers += instruction.opcode == Opcode::Launch && pool && !list;
  }
  return std::max(layers, 1u);
}

Work attentionWork(const Plan &plan, uint32_t sequences, uint32_t queries, uint32_t context) {
  Work work;
  std::string_view name = plan.string(plan.info().modelName);
  if (name.starts_with("attention ")) {
    for (const TensorRecord &tensor : plan.tensors())
      if (tensor.isOutput) // all heads of a token; a product with keys, one with values
        work.flops =
            4.0 * static_cast<double>(tensor.columns) * sequences * pairsOf(name, queries, context);
  }
  double bytes = 0;
  uint64_t kept = uint64_t{context} + queries;
  for (const PoolRecord &pool : plan.pools()) {
    uint64_t tokens =
        pool.window ? std::min<uint64_t>(kept, uint64_t{pool.window} + queries - 1) : kept;
    bytes +=
        static_cast<double>(pool.bytesPerPage) / plan.info().pageSize * static_cast<double>(tokens);
  }
  work.bytes = bytes * sequences / layersOf(plan);
  return work;
}

static std::span<const OperandRecord> operandsOf(const Plan &plan, uint32_t launch) {
  const InstructionRecord &instruction = plan.instructions()[launch];
  return plan.operands().subspan(instruction.firstOperand, instruction.operandCount);
}

bool isOfSamples(const Plan &plan, uint32_t launch) {
  auto operands = operandsOf(plan, launch);
  return std::any_of(operands.begin(), operands.end(), [&](const OperandRecord &operand) {
    return operand.kind == OperandKind::Tensor && plan.tensors()[operand.index].isOutput &&
           plan.tensors()[operand.index].extent == Extent::Samples;
  });
}

Work linearWork(const Plan &plan, uint32_t launch, uint32_t rows) {
  Work work;
  for (const OperandRecord &operand : operandsOf(plan, launch)) {
    if (operand.kind != OperandKind::Weight)
      continue;
    const WeightRecord &weight = plan.weights()[operand.index];
    work.bytes += static_cast<double>(weight.bytes);
    if (weight.rows > 1 && weight.columns > 1)
      work.flops +=
          2.0 * rows * static_cast<double>(weight.rows) * static_cast<double>(weight.columns);
  }
  return work;
}

} // namespace quire::cli
