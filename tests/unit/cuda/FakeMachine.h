// The fake driver as tests use it: reset at the beginning, everything given back at the end, and the
// sample plan as CUDA code for it.
#pragma once

#include "FakeDriver.h"
#include "SamplePlan.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/plan/Sizes.h"

#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>

namespace quire::test {

/// A test with a fresh driver; fails when something of the driver is left at its end.
class CudaTest : public testing::Test {
protected:
  CudaTest() {
    void *library = ::dlopen(QUIRE_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
    if (!library)
      std::abort();
    reset_ = reinterpret_cast<FakeCudaReset *>(::dlsym(library, "quireFakeCudaReset"));
    reset_();
    fake_ = reinterpret_cast<FakeCudaState *>(::dlsym(library, "quireFakeCuda"))();
  }
  void TearDown() override {
    EXPECT_EQ(fake().alive(), 0) << "allocations, streams, modules or graphs were not given back";
  }

  FakeCuda &fake() { return *fake_; }
  static CudaDeviceOptions options() {
    CudaDeviceOptions options;
    options.driverLibrary = QUIRE_FAKE_CUDA;
    return options;
  }
  Result<std::unique_ptr<Device>> open() { return createCudaDevice(options()); }

private:
  FakeCudaReset *reset_;
  FakeCuda *fake_;
};

/// A cubin for `kernel` as the fake driver knows them: an ELF header and the name.
inline std::vector<uint8_t> fakeCubin(const std::string &kernel) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_machine = 190;
  std::vector<uint8_t> bytes(sizeof(header) + kernel.size() + 1);
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), kernel.c_str(), kernel.size() + 1);
  return bytes;
}

/// The sample's kernels as one image; `change` edits the entry of each kernel, whose tensor maps count
/// from the first of `tensorMaps`.
template <typename Change>
void addCudaImage(PlanWriter &writer, plan::ImageTarget target, Change change,
                  std::span<const plan::TensorMapRecord> tensorMaps = {}) {
  std::vector<uint8_t> code;
  std::vector<plan::EntryRecord> entries;
  for (const char *name : kTestKernelNames) {
    std::vector<uint8_t> cubin = fakeCubin(name);
    plan::EntryRecord entry{};
    entry.codeOffset = code.size();
    entry.codeBytes = cubin.size();
    entry.symbol = writer.string(name);
    entry.threads = 128;
    entry.registers = 32;
    change(std::string(name), entry);
    entries.push_back(entry);
    code.insert(code.end(), cubin.begin(), cubin.end());
    code.resize(plan::roundUp(code.size(), 64));
  }
  writer.addImage(target, code, entries, tensorMaps);
}
inline void addCudaImage(PlanWriter &writer, plan::ImageTarget target) {
  addCudaImage(writer, target, [](const std::string &, plan::EntryRecord &) {});
}

inline Plan cudaSamplePlan(plan::ImageTarget target = plan::ImageTarget::Sm90a) {
  PlanWriter writer = samplePlanWithoutCode();
  addCudaImage(writer, target);
  auto plan = Plan::fromBytes(writer.bytes());
  EXPECT_TRUE(plan.isOk()) << plan.status().message();
  return plan.takeValue();
}

} // namespace quire::test
