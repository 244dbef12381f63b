// Checks one tensor map against its kernel and against what cuTensorMapEncodeTiled and the tensor
// memory accelerator take, so that encoding it at a launch can only fail for the launch's own values:
// an address that is not aligned, or a row count out of range.
#include "runtime/plan/Rules.h"

namespace quire::plan {
namespace {

constexpr uint64_t kMaxExtent = 1ull << 32;
constexpr uint64_t kMaxStride = (1ull << 40) - 1;
constexpr uint32_t kMaxBox = 256;
constexpr uint32_t kGranule = 16; ///< bytes that rows and strides are multiples of

std::string dimension(const char *field, uint32_t index) {
  return std::string(field) + "[" + std::to_string(index) + "]";
}

Status extent(const TensorMapRecord &map, uint32_t i, const RecordCheck &rule) {
  bool outermost = i + 1 == map.rank;
  if (outermost && map.scalar != kNone)
    return rule.equal(map.extents[i], 0, dimension("extents", i).c_str(), "scalar has it and it");
  return rule.range(map.extents[i], outermost ? 0 : 1, kMaxExtent, dimension("extents", i).c_str());
}

Status stride(const TensorMapRecord &map, uint32_t i, const RecordCheck &rule) {
  std::string field = dimension("strides", i);
  if (i == 0)
    return rule.equal(map.strides[0], elementBytes(map.element), field.c_str(), "the element's size");
  QUIRE_RETURN_IF_ERROR(rule.range(map.strides[i], kGranule, kMaxStride, field.c_str()));
  if (map.strides[i] % kGranule != 0)
    return rule.broken(field + " is " + std::to_string(map.strides[i]) + ", not a multiple of " +
                       std::to_string(kGranule));
  return Status::ok();
}

Status box(const TensorMapRecord &map, const RecordCheck &rule) {
  for (uint32_t i = 0; i < map.rank; ++i)
    QUIRE_RETURN_IF_ERROR(rule.range(map.box[i], 1, kMaxBox, dimension("box", i).c_str()));
  uint64_t rowBytes = map.box[0] * elementBytes(map.element);
  if (rowBytes % kGranule != 0)
    return rule.broken("a row of its box takes " + std::to_string(rowBytes) +
                       " bytes, not a multiple of " + std::to_string(kGranule));
  if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 && map.swizzle != 128)
    return rule.broken("swizzle is " + std::to_string(map.swizzle) +
                       ", legal are 0, 32, 64 and 128");
  if (map.swizzle != 0 && rowBytes > map.swizzle)
    return rule.broken("a row of its box takes " + std::to_string(rowBytes) +
                       " bytes, more than the " + std::to_string(map.swizzle) +
                       " of its swizzle");
  return Status::ok();
}

} // namespace

Status validateTensorMap(const TensorMapRecord &map, const KernelRecord &kernel,
                         const RecordCheck &rule) {
  QUIRE_RETURN_IF_ERROR(rule.index(map.buffer, kernel.bufferCount, "buffer"));
  if (map.scalar != kNone)
    QUIRE_RETURN_IF_ERROR(rule.index(map.scalar, kernel.scalarCount, "scalar"));
  QUIRE_RETURN_IF_ERROR(rule.enumeration(map.element, "element"));
  QUIRE_RETURN_IF_ERROR(rule.range(map.rank, 2, kMaxTensorRank, "rank"));
  QUIRE_RETURN_IF_ERROR(box(map, rule));
  for (uint32_t i = 0; i < map.rank; ++i) {
    QUIRE_RETURN_IF_ERROR(extent(map, i, rule));
    QUIRE_RETURN_IF_ERROR(stride(map, i, rule));
  }
  for (uint32_t i = map.rank; i < kMaxTensorRank; ++i)
    if (map.box[i] != 0 || map.extents[i] != 0 || map.strides[i] != 0)
      return rule.broken("it has " + std::to_string(map.rank) + " dimensions, but box, extents or "
                         "strides say something of dimension " + std::to_string(i));
  return Status::ok();
}

} // namespace quire::plan
