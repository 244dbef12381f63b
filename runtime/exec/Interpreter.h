// Walks the step program of a plan with a handful of registers and submits its launches. Operands
// with fixed addresses are resolved once, those in the step's region anew for each step. Internal to
// runtime/exec.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/exec/Executor.h"
#include "runtime/exec/StepRegion.h"
#include "runtime/exec/StepShape.h"
#include "runtime/exec/StepSlots.h"

#include <vector>

namespace quire {

/// Device addresses that stay.
struct FixedAddresses {
  uint64_t arena = 0;
  std::vector<uint64_t> weights, pools;
  std::vector<uint64_t> tensors; ///< of outputs; unused for inputs
};

class Interpreter {
public:
  Interpreter(const Plan &plan, const FixedAddresses &addresses);

  /// One step. `workItems` holds the items of every work list, then the same again with 0 for lists
  /// that split no keys. Allocates nothing.
  Status run(Device &device, const DeviceImage &image, const StepRegion &region,
             const StepShape &shape, std::span<const int64_t> workItems, StepTrace *trace);

private:
  /// An operand with its address, or for the arena with the linear form of its address.
  struct Operand {
    plan::OperandKind kind;
    uint32_t index;         ///< of its register or of its slot in the region
    bool inRegion;
    plan::ByteSize address; ///< constant includes the base; the row terms are 0 but for the arena
  };
  struct Step {
    Device &device;
    const DeviceImage &image;
    const StepRegion &region;
    uint64_t paddedTokens, paddedSamples;
    StepTrace *trace;
    bool measuring; ///< the last entry of `trace`
  };

  void setRegisters(const StepShape &shape, const Step &step);
  Status launch(Step &step, uint32_t position, const plan::InstructionRecord &instruction);
  Status endMeasurement(Step &step);

  const Plan &plan_;
  std::vector<Operand> operands_;
  std::vector<int64_t> registers_;
};

} // namespace quire
