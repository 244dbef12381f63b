// DeviceChoice: which machine runs a plan: `--device cpu`, `cuda`, `cuda:1` or `auto`, and the device
// that follows from it.
#pragma once

#include "runtime/device/Device.h"

#include <string>
#include <vector>

namespace quire::cli {

struct DeviceChoice {
  enum class Kind {
    Auto, ///< a plan's own kind; for a model directory a GPU that plans can be made for, else the CPU
    Cpu,
    Cuda
  };
  Kind kind = Kind::Auto;
  int ordinal = 0; ///< of the GPU
};

/// InvalidArgument for anything but cpu, cuda, cuda:N and auto.
Result<DeviceChoice> parseDevice(const std::string &text);

/// The choice for a model directory that is yet to be compiled: never Auto.
DeviceChoice chooseForDirectory(DeviceChoice choice);

/// What the compiler must be told for it. Nothing for the CPU.
std::vector<std::string> compilerOptions(const DeviceChoice &choice);

/// The device for a plan. `threads` is for the CPU; 0: all cores.
Result<std::unique_ptr<Device>> openDevice(const DeviceChoice &choice, const Plan &plan,
                                           uint32_t threads);

} // namespace quire::cli
