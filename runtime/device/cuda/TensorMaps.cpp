// Implements TensorMaps.h.
#include "runtime/device/cuda/TensorMaps.h"

namespace quire::gpu {
namespace {

/// Coordinates are 32-bit and signed, so no box starts behind this many rows.
constexpr uint64_t kWithoutEnd = 1ull << 31;
constexpr int64_t kMaxExtent = int64_t(1) << 32;

int dataType(plan::ElementType element) {
  switch (element) {
  case plan::ElementType::F32:
    return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  case plan::ElementType::F16:
    return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  case plan::ElementType::BF16:
    return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  case plan::ElementType::I32:
    return CU_TENSOR_MAP_DATA_TYPE_INT32;
  case plan::ElementType::I64:
    return CU_TENSOR_MAP_DATA_TYPE_INT64;
  case plan::ElementType::U8:
  case plan::ElementType::Count:
    break;
  }
  return CU_TENSOR_MAP_DATA_TYPE_UINT8;
}

int swizzle(uint32_t bytes) {
  switch (bytes) {
  case 32:
    return CU_TENSOR_MAP_SWIZZLE_32B;
  case 64:
    return CU_TENSOR_MAP_SWIZZLE_64B;
  case 128:
    return CU_TENSOR_MAP_SWIZZLE_128B;
  default:
    return CU_TENSOR_MAP_SWIZZLE_NONE;
  }
}

/// What a miss brings into the L2 cache. Where a box takes whole rows, what lies behind one comes with
/// another box (weights that come so: 2 to 4 % faster).
int promotion(const plan::TensorMapRecord &map) {
  return map.extents[0] == map.box[0] ? CU_TENSOR_MAP_L2_PROMOTION_L2_128B
                                      : CU_TENSOR_MAP_L2_PROMOTION_L2_256B;
}

std::string mapOf(const std::string &kernel, size_t index) {
  return "tensor map " + std::to_string(index) + " of kernel '" + kernel + "'";
}

} // namespace

Status TensorMaps::encode(const Driver &driver, const std::string &kernel,
                          std::span<void *const> buffers, std::span<const int64_t> scalars,
                          EncodedTensorMaps &encoded) const {
  static constexpr std::array<uint32_t, plan::kMaxTensorRank> everyElement{1, 1, 1, 1, 1};
  for (size_t i = 0; i < records_.size(); ++i) {
    const plan::TensorMapRecord &map = records_[i];
    std::array<uint64_t, plan::kMaxTensorRank> extents;
    std::copy(std::begin(map.extents), std::end(map.extents), extents.begin());
    uint64_t &outermost = extents[map.rank - 1];
    if (map.scalar != plan::kNone) {
      int64_t rows = scalars[map.scalar];
      if (rows < 1 || rows > kMaxExtent)
        return Status::error(ErrorCode::OutOfRange,
                             mapOf(kernel, i) + ": its outermost extent, scalar " +
                                 std::to_string(map.scalar) + ", is " + std::to_string(rows) +
                                 " in a launch that has work items; legal is 1 to " +
                                 std::to_string(kMaxExtent));
      outermost = static_cast<uint64_t>(rows);
    } else if (outermost == 0) {
      outermost = kWithoutEnd;
    }
    // The innermost stride is the element's size and is not passed.
    CUresult result = driver.api().tensorMapEncodeTiled(
        &encoded[i], dataType(map.element), map.rank, buffers[map.buffer], extents.data(),
        map.strides + 1, map.box, everyElement.data(), CU_TENSOR_MAP_INTERLEAVE_NONE,
        swizzle(map.swizzle), promotion(map),
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != CUDA_SUCCESS) {
      char address[32];
      std::snprintf(address, sizeof(address), "%p", buffers[map.buffer]);
      return driver.check(result, "cuTensorMapEncodeTiled",
                          mapOf(kernel, i) + " (buffer " + std::to_string(map.buffer) + " at " +
                              address + ", outermost extent " + std::to_string(outermost) + ")");
    }
  }
  return Status::ok();
}

} // namespace quire::gpu
