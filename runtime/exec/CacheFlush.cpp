// Implements CacheFlush.h. The cache is filled by reading: pieces of a large buffer are copied over one
// small target. A fill would leave a cache of unwritten lines, which the launch to be measured would
// then have to write back.
#include "runtime/exec/CacheFlush.h"

#include <algorithm>

namespace quire {

static constexpr uint64_t kPiece = 8ull << 20;

Result<CacheFlush> CacheFlush::create(Device &device, uint64_t bytes) {
  CacheFlush flush;
  QUIRE_ASSIGN_OR_RETURN(flush.source, device.allocate(bytes, "flushing caches"));
  QUIRE_ASSIGN_OR_RETURN(flush.target,
                         device.allocate(std::min(bytes, kPiece), "flushing caches"));
  return flush;
}

Status CacheFlush::run(Device &device) const {
  for (uint64_t done = 0; done < source.bytes(); done += kPiece)
    QUIRE_RETURN_IF_ERROR(device.copy(target.data(), source.data() + done,
                                      std::min(kPiece, source.bytes() - done)));
  return Status::ok();
}

} // namespace quire
