// What the schedule space needs to know about an outlined kernel, read off its structured form.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"
#include "dialect/Tile/Tile.h"

namespace quire::tile {

/// The shape of a kernel that quire-outline-kernels made. Fails with a diagnostic for another kernel.
mlir::FailureOr<schedule::KernelShape> kernelShape(KernelOp kernel);

} // namespace quire::tile
