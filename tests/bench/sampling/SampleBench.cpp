// bench-sample PLAN [cpu|cuda]: the time of the sampling kernel by rows and by what is asked of it,
// beside the host's sampler on one thread. PLAN is sample.mlir of this folder, compiled with
// --sample=device. Times are by the device's clock, the median of several steps; logits are as the
// linear before would leave them, wherever that is.
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/engine/Sampler.h"
#include "runtime/exec/Executor.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>

using namespace quire;

namespace {

template <class T> T take(Result<T> result) {
  if (result.isOk())
    return result.takeValue();
  std::fprintf(stderr, "bench-sample: error: %s\n", result.status().message().c_str());
  std::exit(1);
}

struct Asked {
  const char *name;
  SamplingParams params;
};

std::vector<Asked> askedKinds() {
  std::vector<Asked> kinds;
  auto add = [&](const char *name, float temperature, int32_t topK, float topP, float minP) {
    kinds.push_back({name, {}});
    SamplingParams &params = kinds.back().params;
    params.temperature = temperature;
    params.topK = topK;
    params.topP = topP;
    params.minP = minP;
  };
  add("greedy", 0, 0, 1, 0);
  add("temperature 1", 1, 0, 1, 0);
  add("top-p 0.9", 1, 0, 0.9f, 0);
  add("min-p 0.05", 1, 0, 1, 0.05f);
  add("top-k 40", 1, 40, 1, 0);
  add("top-k 40, top-p 0.9", 1, 40, 0.9f, 0);
  return kinds;
}

class SampleBench {
public:
  SampleBench(const char *path, bool cuda)
      : plan(take(Plan::open(path))), device(take(cuda ? createCudaDevice() : createCpuDevice())),
        weights(take(WeightStore::load(plan, {}))),
        executor(take(Executor::create(plan, *device, *weights, {}))),
        vocabulary(plan.info().vocabularySize), scratch(static_cast<int32_t>(vocabulary)) {}

  void run() {
    std::printf("| rows | asked | kernel us | host us |\n|---|---|---|---|\n");
    for (uint32_t rows : {1u, 64u, 256u}) {
      if (rows > executor->limits().maxSamples || rows > executor->limits().maxTokens)
        continue;
      // The spread of a language model's logits: a few likely tokens above a broad rest.
      std::vector<float> logits(size_t(rows) * vocabulary);
      std::mt19937_64 random(1);
      std::normal_distribution<float> normal(0, 2.5f);
      for (float &logit : logits)
        logit = normal(random) + (random() % 4096 == 0 ? 6 : 0);
      for (const Asked &asked : askedKinds())
        std::printf("| %u | %s | %.1f | %.0f |\n", rows, asked.name,
                    kernelMicros(rows, asked.params, logits),
                    rows * hostMicros(asked.params, std::span(logits).first(vocabulary)));
    }
  }

private:
  double kernelMicros(uint32_t rows, const SamplingParams &params,
                      const std::vector<float> &logits) {
    std::vector<int32_t> samples(rows);
    std::iota(samples.begin(), samples.end(), 0);
    StepInput input{"x", logits.data(), rows};
    std::vector<plan::SamplingRecord> records(rows);
    std::vector<uint8_t> wanted;
    for (const plan::KernelRecord &kernel : plan.kernels())
      wanted.push_back(plan.string(kernel.name) == "sample");
    std::vector<double> micros;
    for (uint64_t repeat = 0; repeat < 9; ++repeat) {
      for (uint32_t row = 0; row < rows; ++row)
        records[row] = Sampler(params).record(repeat * rows + row);
      StepBatch batch;
      batch.tokens = rows;
      batch.sampleRows = samples;
      batch.sampling = records;
      batch.inputs = {&input, 1};
      LaunchTrace launch{};
      StepTrace trace;
      trace.launches = {&launch, 1};
      trace.wanted = wanted;
      Status status = executor->run(batch, &trace);
      if (!status.isOk() || trace.count != 1) {
        std::fprintf(stderr, "bench-sample: error: %s\n",
                     status.isOk() ? "the plan has no kernel 'sample'" : status.message().c_str());
        std::exit(1);
      }
      micros.push_back(static_cast<double>(launch.nanoseconds) / 1000);
    }
    std::nth_element(micros.begin(), micros.begin() + 4, micros.end());
    return micros[4];
  }

  /// Of one row.
  double hostMicros(const SamplingParams &params, std::span<const float> logits) {
    auto start = std::chrono::steady_clock::now();
    constexpr int kRepeats = 5;
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      SamplingParams own = params;
      own.seed = static_cast<uint64_t>(repeat);
      (void)take(Sampler(own).sample(logits, {}, {}, scratch));
    }
    std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    return time.count() / kRepeats;
  }

  Plan plan;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
  uint32_t vocabulary;
  SamplerScratch scratch;
};

} // namespace

int main(int argc, char **argv) {
  if (argc < 2 || std::string(argv[1]) == "--help") {
    std::printf("usage: bench-sample PLAN [cpu|cuda]\n");
    return argc < 2 ? 2 : 0;
  }
  SampleBench(argv[1], argc > 2 && std::string(argv[2]) == "cuda").run();
}
