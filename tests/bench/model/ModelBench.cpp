// bench-model PLAN [threads] [prompt] [generate] [--plot NAME]: prefill and decode of one sequence
// on the CPU device, as ratios to the streaming bandwidth and the multiply-add peak that the same
// run measures. Both are measured again at growing context, apart for attention and the rest;
// --plot writes that as NAME.csv and NAME.svg.
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/exec/Executor.h"
#include "tests/bench/common/Ceilings.h"
#include "tests/bench/model/ContextPlot.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

using namespace quire;

namespace {

[[noreturn]] void fail(const Status &status) {
  std::fprintf(stderr, "bench-model: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}
template <typename T> T take(Result<T> result) {
  if (!result.isOk())
    fail(result.status());
  return result.takeValue();
}

/// Resident bytes at their peak, from the kernel's own accounting.
uint64_t peakResidentBytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "VmHWM:") {
      uint64_t kilobytes;
      status >> kilobytes;
      return kilobytes * 1024;
    }
  return 0;
}

/// One sequence that owns pages 0, 1, 2, … and advances by any number of tokens.
class Sequence {
public:
  Sequence(Executor &executor, const plan::InfoRecord &info, uint32_t pages)
      : executor_(executor), info_(info), table_(pages) {
    for (uint32_t page = 0; page < pages; ++page)
      table_[page] = static_cast<int32_t>(page);
  }

  /// Seconds of a step that appends `tokens` tokens.
  double advance(uint32_t tokens, StepTrace *trace = nullptr) {
    ids_.resize(tokens);
    positions_.resize(tokens);
    for (uint32_t i = 0; i < tokens; ++i) {
      positions_[i] = static_cast<int32_t>(length_ + i);
      ids_[i] = static_cast<int32_t>((positions_[i] * 7919u) % info_.vocabularySize);
    }
    length_ += tokens;
    int32_t offsets[2] = {0, static_cast<int32_t>(tokens)};
    int32_t keys[1] = {static_cast<int32_t>(length_)};
    int32_t sample[1] = {static_cast<int32_t>(tokens) - 1};
    StepBatch batch;
    batch.tokens = tokens;
    batch.tokenIds = ids_;
    batch.positions = positions_;
    batch.slots = positions_; // page p holds positions p * pageSize …
    batch.queryOffsets = offsets;
    batch.keyLengths = keys;
    batch.blockTable = table_;
    batch.maxPages = static_cast<uint32_t>(table_.size());
    batch.sampleRows = sample;
    double started = bench::now();
    if (Status status = executor_.run(batch, trace); !status.isOk())
      fail(status);
    return bench::now() - started;
  }
  void reset() { length_ = 0; }
  uint32_t length() const { return length_; }

private:
  Executor &executor_;
  const plan::InfoRecord &info_;
  std::vector<int32_t> table_, ids_, positions_;
  uint32_t length_ = 0;
};

double median(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

/// Which kernels walk keys: those that take a work list.
std::vector<bool> attentionKernels(const Plan &plan) {
  std::vector<bool> result(plan.kernels().size());
  for (const plan::InstructionRecord &record : plan.instructions())
    if (record.opcode == plan::Opcode::Launch)
      for (const plan::OperandRecord &operand :
           plan.operands().subspan(record.firstOperand, record.operandCount))
        if (operand.kind == plan::OperandKind::WorkList)
          result[record.index] = true;
  return result;
}

void writeFile(const std::string &path, const std::string &content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  if (!file) {
    std::fprintf(stderr, "bench-model: cannot write %s\n", path.c_str());
    std::exit(1);
  }
  std::printf("wrote %s\n", path.c_str());
}

} // namespace

int main(int argc, char **argv) {
  const char *plot = nullptr;
  if (argc > 3 && std::strcmp(argv[argc - 2], "--plot") == 0) {
    plot = argv[argc - 1];
    argc -= 2;
  }
  if (argc < 2 || argc > 5 || argv[1][0] == '-') {
    std::fprintf(stderr,
                 "usage: bench-model PLAN [threads=2] [prompt=512] [generate=32] [--plot NAME]\n");
    return 2;
  }
  unsigned threads = argc > 2 ? std::atoi(argv[2]) : 2;
  uint32_t prompt = argc > 3 ? std::atoi(argv[3]) : 512;
  uint32_t generate = argc > 4 ? std::atoi(argv[4]) : 32;

  Plan plan = take(Plan::open(argv[1]));
  const plan::InfoRecord &info = plan.info();
  std::unique_ptr<WeightStore> weights =
      take(WeightStore::load(plan, {.modelDirectory = {}, .threads = threads, .progress = {}}));
  CpuDeviceOptions deviceOptions;
  deviceOptions.threads = threads;
  std::unique_ptr<Device> device = take(createCpuDevice(deviceOptions));
  ExecutorOptions options;
  options.pageCount = (info.maxContext + info.pageSize - 1) / info.pageSize;
  std::unique_ptr<Executor> executor =
      take(Executor::create(plan, *device, *weights, options));
  Sequence sequence(*executor, info, options.pageCount);

  auto fill = [&](uint32_t length) {
    sequence.reset();
    double seconds = 0;
    while (sequence.length() < length)
      seconds += sequence.advance(std::min(length - sequence.length(), info.maxTokens));
    return seconds;
  };
  std::vector<double> prefills, decodes;
  std::vector<LaunchTrace> launches(4096);
  for (int round = 0; round < 3; ++round) {
    prefills.push_back(fill(prompt));
    for (uint32_t i = 0; i < generate; ++i)
      decodes.push_back(sequence.advance(1));
  }
  uint64_t resident = peakResidentBytes();
  double bandwidth = bench::streamingReadBandwidth(threads), peak = bench::fmaPeak(threads);

  // A matrix row costs 2 FLOP an element and token; tables that are only looked up are not multiplied.
  double elements = 0, bytes = 0;
  for (const plan::WeightRecord &weight : plan.weights())
    if (weight.layout == plan::WeightLayout::Panel && weight.columns > 1) {
      double count = static_cast<double>(weight.rows) * static_cast<double>(weight.columns);
      bytes += static_cast<double>(weight.bytes);
      elements += weight.rows == info.vocabularySize ? 0 : count; // the head sees one row only
    }
  double prefill = median(prefills), decode = median(decodes);
  std::printf("%s on %s, %u threads\n", std::string(plan.string(info.modelName)).c_str(),
              device->properties().target.c_str(), threads);
  std::printf("ceilings: read %.1f GB/s, f32 multiply-add %.0f GFLOP/s\n", bandwidth / 1e9,
              peak / 1e9);
  std::printf("prefill %u tokens: %.1f tok/s, %.0f GFLOP/s in linears = %.1f %% of the peak\n",
              prompt, prompt / prefill, 2 * elements * prompt / prefill / 1e9,
              100 * 2 * elements * prompt / prefill / peak);
  std::printf("decode at context %u: %.2f tok/s, weights at %.1f GB/s = %.1f %% of streaming\n",
              prompt, 1 / decode, bytes / decode / 1e9, 100 * bytes / decode / bandwidth);
  std::printf("memory: planned weights %.1f MB + executor %.1f MB; peak resident %.1f MB\n",
              weights->bytes() / 1e6, executor->memory().total() / 1e6, resident / 1e6);

  // Cost over context, attention apart.
  std::vector<bool> isAttention = attentionKernels(plan);
  auto traced = [&](uint32_t tokens, double &attention) {
    StepTrace trace;
    trace.launches = launches;
    double seconds = sequence.advance(tokens, &trace);
    for (uint32_t i = 0; i < trace.count; ++i)
      if (isAttention[launches[i].kernel])
        attention += launches[i].nanoseconds * 1e-9;
    return seconds;
  };
  std::vector<bench::ContextCost> costs;
  std::printf("\ncontext  prompt_s  attention_s  rest_us/token  decode_ms  attention_ms\n");
  for (uint32_t length = 256; length + 8 <= info.maxContext && length <= 8192; length *= 2) {
    bench::ContextCost cost{length, 0, 0, 0, 0};
    // A long prompt is measured once, of short ones the fastest of a few counts.
    double total = 0;
    for (int round = 0; round < 5 && total < 2; ++round) {
      sequence.reset();
      double seconds = 0, attention = 0;
      while (sequence.length() < length)
        seconds += traced(std::min(length - sequence.length(), info.maxTokens), attention);
      total += seconds;
      if (round == 0 || seconds < cost.prompt) {
        cost.prompt = seconds;
        cost.promptAttention = attention;
      }
    }
    std::vector<double> steps, attentions;
    for (int i = 0; i < 8; ++i) {
      attentions.push_back(0);
      steps.push_back(traced(1, attentions.back()));
    }
    cost.decode = median(steps);
    cost.decodeAttention = median(attentions);
    std::printf("%7u  %8.3f  %11.3f  %13.1f  %9.3f  %12.3f\n", length, cost.prompt,
                cost.promptAttention, 1e6 * (cost.prompt - cost.promptAttention) / length,
                cost.decode * 1e3, cost.decodeAttention * 1e3);
    costs.push_back(cost);
  }
  if (!costs.empty())
    std::printf("a prompt's cost beyond attention grows linearly within %.1f %%\n",
                100 * bench::promptDeviation(costs));
  if (plot) {
    writeFile(std::string(plot) + ".csv", bench::contextCsv(costs));
    writeFile(std::string(plot) + ".svg",
              bench::contextSvg(std::string(plan.string(info.modelName)) + " on " +
                                    device->properties().target + ", " + std::to_string(threads) +
                                    " threads: cost over context",
                                costs));
  }

  // Where a step's time goes, by kernel.
  for (uint32_t tokens : {1u, std::min(prompt, info.maxTokens)}) {
    fill(prompt);
    sequence.reset();
    if (tokens == 1)
      fill(prompt);
    StepTrace trace;
    trace.launches = launches;
    sequence.advance(tokens, &trace);
    std::vector<double> seconds(plan.kernels().size());
    double total = 0;
    for (uint32_t i = 0; i < trace.count; ++i) {
      seconds[launches[i].kernel] += launches[i].nanoseconds * 1e-9;
      total += launches[i].nanoseconds * 1e-9;
    }
    std::printf("\nstep of %u tokens, %u launches, %.3f ms\n", tokens, trace.count, total * 1e3);
    for (size_t kernel = 0; kernel < seconds.size(); ++kernel)
      if (seconds[kernel] > 0.005 * total)
        std::printf("  %5.1f %%  %s\n", 100 * seconds[kernel] / total,
                    std::string(plan.string(plan.kernels()[kernel].name)).c_str());
  }
  return 0;
}
