// Implements BenchKernels.h.
#include "tools/quire/BenchKernels.h"

#include "runtime/plan/FloatElement.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace quire::cli {
using namespace plan;

static bool isOfKind(const Plan &plan, const InstructionRecord &launch, KernelKind kind) {
  bool list = false, matrix = false, looksUp = false;
  for (const OperandRecord &operand :
       plan.operands().subspan(launch.firstOperand, launch.operandCount)) {
    list |= operand.kind == OperandKind::WorkList;
    if (operand.kind == OperandKind::Weight) {
      const WeightRecord &weight = plan.weights()[operand.index];
      matrix |= weight.rows > 1 && weight.columns > 1;
    }
    looksUp |= operand.kind == OperandKind::Batch &&
               (operand.index == static_cast<uint32_t>(BatchField::TokenIds) ||
                operand.index == static_cast<uint32_t>(BatchField::Positions));
  }
  return kind == KernelKind::Attention ? list : matrix && !list && !looksUp;
}

std::vector<uint8_t> kernelsOf(const Plan &plan, KernelKind kind) {
  std::vector<uint8_t> kernels(plan.kernels().size());
  for (const InstructionRecord &instruction : plan.instructions())
    if (instruction.opcode == Opcode::Launch && isOfKind(plan, instruction, kind))
      kernels[instruction.index] = 1;
  return kernels;
}

KernelBench::KernelBench(BenchPlan &bench, KernelKind kind, uint32_t rounds, CacheFlush flush)
    : bench(bench), kind(kind), rounds(rounds), flush(std::move(flush)),
      wanted(kernelsOf(*bench.plan, kind)), traces(bench.plan->instructions().size()) {}

Result<KernelBench> KernelBench::create(BenchPlan &bench, KernelKind kind, uint32_t rounds) {
  QUIRE_ASSIGN_OR_RETURN(CacheFlush flush, CacheFlush::create(*bench.device));
  return KernelBench(bench, kind, rounds, std::move(flush));
}

Result<std::vector<KernelTime>>
KernelBench::measure(const std::function<Status(StepTrace *)> &step) {
  const Plan &plan = *bench.plan;
  auto run = [&](bool together) -> Result<std::span<const LaunchTrace>> {
    StepTrace trace{traces};
    trace.wanted = wanted;
    trace.together = together;
    trace.flush = &flush;
    QUIRE_RETURN_IF_ERROR(step(&trace));
    return std::span<const LaunchTrace>(traces).first(trace.count);
  };
  QUIRE_ASSIGN_OR_RETURN(std::span<const LaunchTrace> warm, run(false));
  launches_.clear();
  for (const LaunchTrace &launch : warm)
    if (launch.items > 0)
      launches_.emplace_back(plan.string(plan.kernels()[launch.kernel].name));

  bool isAttention = kind == KernelKind::Attention;
  std::vector<KernelTime> figures;
  std::map<uint32_t, size_t> figureOf; // by kernel; attention has one for all
  for (uint32_t round = 0; round < rounds && !interrupted(); ++round) {
    QUIRE_ASSIGN_OR_RETURN(std::span<const LaunchTrace> timed, run(isAttention));
    std::vector<double> sums(figures.size()), counts(figures.size());
    for (const LaunchTrace &launch : timed) {
      if (launch.items <= 0)
        continue;
      auto [place, isNew] = figureOf.emplace(isAttention ? 0 : launch.kernel, figures.size());
      if (isNew) {
        figures.push_back(
            {std::string(plan.string(plan.kernels()[launch.kernel].name)), launch.instruction, {}});
        sums.push_back(0);
        counts.push_back(0);
      }
      sums[place->second] += static_cast<double>(launch.nanoseconds) * 1e-9;
      ++counts[place->second];
    }
    for (size_t i = 0; i < figures.size(); ++i)
      figures[i].seconds.push_back(sums[i] / std::max(counts[i], 1.0));
  }
  return figures;
}

/// Rows of all float outputs of the last step, each as f32, one output behind the other.
static Result<std::vector<std::vector<float>>> outputRows(BenchPlan &bench) {
  std::vector<std::vector<float>> rows;
  for (const TensorRecord &tensor : bench.plan->tensors()) {
    if (!tensor.isOutput || tensor.extent != Extent::Tokens || !isFloat(tensor.element))
      continue;
    QUIRE_ASSIGN_OR_RETURN(TensorView view,
                           bench.executor->output(bench.plan->string(tensor.name)));
    for (uint64_t row = 0; row < view.rows; ++row) {
      std::vector<float> values(view.columns);
      for (uint64_t column = 0; column < view.columns; ++column)
        values[column] = loadFloat(view.element, view.data, row * view.rowStride + column);
      rows.push_back(std::move(values));
    }
  }
  return rows;
}

Status checkRowsAgree(BenchPlan &bench, uint32_t rows) {
  StepDriver driver(*bench.executor, 1, rows);
  QUIRE_RETURN_IF_ERROR(driver.scatterPages());
  QUIRE_RETURN_IF_ERROR(driver.step(0, 1, rows).status());
  QUIRE_ASSIGN_OR_RETURN(std::vector<std::vector<float>> together, outputRows(bench));
  if (together.size() != rows) // no output, or several: not an operator
    return Status::ok();
  auto refuse = [&](uint32_t row, uint64_t column, float several, float single) {
    return Status::error(ErrorCode::Internal,
                         bench.name() + ": row " + std::to_string(row) + ", column " +
                             std::to_string(column) + " is " + std::to_string(several) +
                             " in a step of " + std::to_string(rows) + " rows and " +
                             std::to_string(single) + " in a step of its own; not measured");
  };
  float most = 0;
  for (const std::vector<float> &row : together)
    for (float value : row)
      most = std::max(most, std::fabs(value));
  // Which keys earlier rows see may depend on those behind them; with a cache, only the last is the
  // same alone.
  uint32_t first = bench.plan->info().pageSize > 0 ? rows - 1 : 0;
  for (uint32_t row = first; row < rows; row += std::max(1u, rows / 7)) {
    driver.seek(row);
    QUIRE_RETURN_IF_ERROR(driver.step(0, 1, 1).status());
    QUIRE_ASSIGN_OR_RETURN(std::vector<std::vector<float>> alone, outputRows(bench));
    for (uint64_t column = 0; column < alone.front().size(); ++column) {
      float several = together[row][column], single = alone.front()[column];
      if (!(std::fabs(several - single) <= most / 50) || most == 0)
        return refuse(row, column, several, single);
    }
  }
  return Status::ok();
}

} // namespace quire::cli
